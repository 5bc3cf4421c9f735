"""Data folder: the paths of its files, and the locks on it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from signer.custody.atomic_write import write_atomic
from sixgate.data_folder.signer_files import FolderError, SignerFiles

if TYPE_CHECKING:  # readers open no key and need no cryptography
    from signer.custody.event_signing import Ed25519Signer

SLOT = "0"
SIMULATOR, LEDGER, ADMIN = "simulator-0", "ledger-0", "admin-0"
REGISTRAR = "registrar-0"
GATEWAY, DESK = "gateway-0", "desk-0"


class FolderBusyError(FolderError):
    """Another process has locked the folder."""


@dataclass(frozen=True, slots=True)
class Folder(SignerFiles):
    """The paths of one data folder."""

    @property
    def inbox(self) -> Path:
        """The topics to which producers and operators append."""
        return self.path / "inbox.db"

    @property
    def pipeline(self) -> Path:
        """All other topics, and the signer's state."""
        return self.path / "pipeline.db"

    @property
    def gateway_files(self) -> Path:
        """The folder of the files that the HTTP API writes."""
        return self.path / "gateway"

    @property
    def gateway(self) -> Path:
        """What the HTTP API remembers: people, descriptions, hashes of API keys."""
        return self.gateway_files / "gateway.db"

    @property
    def token_key(self) -> Path:
        """The key that signs the tokens of the HTTP API."""
        return self.gateway_files / "tokens.pem"

    @property
    def webhooks(self) -> Path:
        """The webhooks with their secrets, and how far each was delivered."""
        return self.gateway_files / "webhooks.db"

    @property
    def reads(self) -> Path:
        """The projection that the HTTP API reads; built again from the log when it is absent."""
        return self.gateway_files / "reads.db"

    @property
    def published(self) -> Path:
        """The marker that the organisation's pipeline runs on Kafka."""
        return self.path / "published"

    @property
    def ledger(self) -> Path:
        """The ledger's tables."""
        return self.path / "ledger"

    @property
    def heads(self) -> Path:
        """The ledger's published heads, outside the ledger."""
        return self.path / "heads.jsonl"

    @property
    def genesis(self) -> Path:
        """The simulators' local chains."""
        return self.path / "simulator"

    @property
    def socket(self) -> Path:
        """The socket of the process that owns the folder."""
        return self.path / "sixgate.sock"

    def key(self, name: str) -> Path:
        """Return the key file of an admin or service."""
        return self.path / "keys" / f"{name}.pem"

    def agent_key(self, agent: str) -> Path:
        """Return the key file of an agent."""
        return self.path / "keys" / "agents" / f"{agent}.pem"

    def mark_published(self) -> None:
        """Mark durably that the pipeline runs on Kafka, never in this folder again.

        Raises ``FolderError``. Idempotent.
        """
        self.refuse_used()
        try:
            write_atomic(self.published, b"", replace=True)
        except OSError as error:
            raise FolderError(f"{self.path} cannot be written: {error.strerror}") from None

    def refuse_used(self) -> None:
        """Raise ``FolderError`` if a pipeline has run here: its nonces and budgets stay here."""
        if self.pipeline.exists():
            raise FolderError(
                f"a pipeline has run in {self.path}, and its keys, nonces and budgets cannot move "
                "to Kafka: make another folder with sixgate init"
            )

    def refuse_published(self) -> None:
        """Raise ``FolderError`` if the organisation's pipeline runs on Kafka."""
        if self.published.exists():
            raise FolderError(
                f"the pipeline of {self.path} runs on Kafka, and one here would not know its "
                "budgets: use it with --config FILE"
            )

    def admin(self) -> "Ed25519Signer":
        """Open the admin's key."""
        from sixgate.data_folder.key_files import load_key_file

        return load_key_file(self.key(ADMIN), ADMIN)

    def inode(self) -> tuple[int, int]:
        """Return device and inode of the folder, for ``check_not_replaced``."""
        status = self.path.stat()
        return status.st_dev, status.st_ino

    def check_not_replaced(self, inode: tuple[int, int]) -> None:
        """Raise ``FolderError`` if the folder was removed or replaced.

        Open files that were deleted can still be written, but those writes are lost.
        """
        try:
            same = self.inode() == inode
        except OSError:
            same = False
        if not same:
            raise FolderError(f"{self.path} was removed or replaced while in use: restore it")

    def check_outside(self, path: Path) -> None:
        """Raise ``FolderError`` for an output file inside the folder.

        It could overwrite the only copy of a key or of the signer's state.
        """
        if path.resolve().is_relative_to(self.path.resolve()):
            raise FolderError(f"{path} is in the data folder: choose a file outside of it")

    @contextmanager
    def ownership_lock(self) -> Iterator[None]:
        """Lock the folder until the block ends; raise ``FolderBusyError`` if it is locked."""
        # The folder itself is locked: a lock file could be deleted while it is held.
        with _locked(self.path, os.O_DIRECTORY, self.path):
            yield

    @contextmanager
    def up_lock(self) -> Iterator[None]:
        """Hold the lock of ``sixgate up`` until the block ends, also while it waits for ownership.

        Raises ``FolderBusyError`` if another ``up`` holds it, so that a second one fails fast. Only
        ``ownership_lock`` protects the folder.
        """
        with _locked(self.trust_file, 0, self.path):
            yield


@contextmanager
def _locked(target: Path, flags: int, folder: Path) -> Iterator[None]:
    try:
        handle = os.open(target, os.O_RDONLY | flags)
    except OSError as error:
        raise FolderError(f"{target} cannot be opened: {error.strerror}") from None
    try:
        _lock(handle, folder)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, path: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise FolderBusyError(f"another sixgate runs on {path}: stop it first") from None
