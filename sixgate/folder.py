"""A data folder: what lies where, how it is made, and who owns it at the moment."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from schemas.canonical import Canonical, Malformed
from schemas.fields import Digest, Name
from schemas.record import Outgoing
from schemas.registry import (
    GENESIS_PREVIOUS,
    Entry,
    OrgCreated,
    ServiceSet,
)
from schemas.topics import Topic
from signer.custody.kms.local import LocalKms
from signer.custody.kms.root_file import create_root_file, load_root_file
from signer.signatures import Ed25519Signer
from sixgate.keyfiles import SEED_BYTES, create_key_file, load_key_file
from sixgate.operator import record_envelope
from streams.log.sqlite import SqliteLog

PARTITIONS = 4
SLOT = "0"
SIGNER, SIMULATOR, LEDGER, ADMIN = "signer-0", "simulator-0", "ledger-0", "admin-0"
_IDENTITY = b"sixgate/signer-identity/v1"


class FolderError(Exception):
    """A data folder cannot be made or used; one sentence for its user."""


class FolderBusy(FolderError):  # noqa: N818 - named for what was found
    """Another process owns the folder right now."""


class Trust(Canonical):
    """What this folder believes before it reads anything from the bus."""

    v: int = Field(ge=1, le=1, default=1)
    org: Name
    trust_root: Digest
    partitions: int = Field(ge=1)


@dataclass(frozen=True, slots=True)
class Folder:
    """The paths of one data folder."""

    path: Path

    @property
    def inbox(self) -> Path:
        """What producers and operators append."""
        return self.path / "inbox.db"

    @property
    def pipeline(self) -> Path:
        """Everything else of the log, and the signer's state."""
        return self.path / "pipeline.db"

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
        """Where the owner listens."""
        return self.path / "sixgate.sock"

    def key(self, name: str) -> Path:
        """Return the key file of a person or process."""
        return self.path / "keys" / f"{name}.pem"

    def agent_key(self, agent: str) -> Path:
        """Return the key file of an agent."""
        return self.path / "keys" / "agents" / f"{agent}.pem"

    @property
    def root_key(self) -> Path:
        """The software KMS's root."""
        return self.path / "keys" / "root.key"

    @property
    def signer_identity(self) -> Path:
        """The signer's own seed and state key, wrapped by the root."""
        return self.path / "keys" / "signer.sealed"

    def trust(self) -> Trust:
        """Return what the folder trusts; raise ``FolderError`` if it is no data folder."""
        try:
            return Trust.decode((self.path / "trust.json").read_bytes())
        except FileNotFoundError:
            raise FolderError(f"{self.path} is no data folder: run sixgate init first") from None
        except OSError as error:
            raise FolderError(f"{self.path} cannot be read: {error.strerror}") from None
        except Malformed as error:
            raise FolderError(f"{self.path}/trust.json is damaged ({error}): restore it") from None

    def admin(self) -> Ed25519Signer:
        """Open the operator's key."""
        return load_key_file(self.key(ADMIN), ADMIN)

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Own the folder until the block ends; raise ``FolderBusy`` if somebody else does."""
        try:
            # The folder itself: a lock file could be removed from under its owner.
            handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise FolderError(f"{self.path} cannot be opened: {error.strerror}") from None
        try:
            _lock(handle, self.path)
            yield
        finally:
            os.close(handle)


def _lock(handle: int, path: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise FolderBusy(f"another sixgate runs on {path}: stop it first") from None


def create(
    path: Path,
    org: str,
    entries: Sequence[Entry],
    now_ms: int,
    random_bytes: Callable[[int], bytes],
) -> Folder:
    """Make a data folder with its keys and the first registry records; whole or not at all.

    Raises ``FolderError`` if the folder exists and is not empty, or cannot be written.
    """
    draft = path.with_name(f".{path.name}.{random_bytes(8).hex()}")
    try:
        if path.exists() and any(path.iterdir()):
            raise FolderError(f"{path} is not empty: choose another folder, or use it as it is")
        _fill(Folder(draft), org, entries, now_ms, random_bytes)
        draft.replace(path)
    except OSError as error:
        raise FolderError(f"{path} cannot be created: {error.strerror}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Folder(path)


def open_identity(folder: Folder, kms: LocalKms) -> tuple[Ed25519Signer, bytes]:
    """Return the signer's identity and the key of its state's MACs.

    Raises ``FolderError``, ``CustodyError``.
    """
    path = folder.signer_identity
    try:
        sealed = path.read_bytes()
    except OSError as error:
        raise FolderError(f"{path} cannot be read: {error.strerror}; restore it") from None
    secrets = bytes(kms.unwrap(sealed, _IDENTITY))
    return Ed25519Signer(SIGNER, secrets[:SEED_BYTES]), secrets[SEED_BYTES:]


def _fill(
    folder: Folder,
    org: str,
    entries: Sequence[Entry],
    now_ms: int,
    random_bytes: Callable[[int], bytes],
) -> None:
    for made in (folder.path, folder.genesis, folder.path / "keys", folder.path / "keys/agents"):
        made.mkdir(mode=0o700, parents=True)
    services = _make_keys(folder, random_bytes)
    admin = folder.admin()
    first = OrgCreated(org=org, admin_keys=(admin.public_key,), partitions=PARTITIONS)
    records = _chain(admin, org, [first, *services, *entries], now_ms)
    log = SqliteLog(folder.inbox, PARTITIONS)
    log.append([Outgoing(Topic.REGISTRY, "", raw) for raw, _ in records], now_ms)
    log.close()
    trust = Trust(org=org, trust_root=records[0][1], partitions=PARTITIONS)
    (folder.path / "trust.json").write_bytes(trust.encode())


def _make_keys(folder: Folder, random_bytes: Callable[[int], bytes]) -> list[Entry]:
    for name in (ADMIN, LEDGER, SIMULATOR):
        create_key_file(folder.key(name), random_bytes(SEED_BYTES))
    create_root_file(folder.root_key, random_bytes)
    kms = LocalKms(load_root_file(folder.root_key), random_bytes)
    secrets = random_bytes(2 * SEED_BYTES)
    folder.signer_identity.write_bytes(kms.wrap(secrets, _IDENTITY))
    signer = Ed25519Signer(SIGNER, secrets[:SEED_BYTES])
    keys = [(name, load_key_file(folder.key(name), name)) for name in (LEDGER, SIMULATOR)]
    return [
        ServiceSet(role="signer", name=SIGNER, public_key=signer.public_key, active=True),
        ServiceSet(role="ledger", name=LEDGER, public_key=keys[0][1].public_key, active=True),
        ServiceSet(role="simulator", name=SIMULATOR, public_key=keys[1][1].public_key, active=True),
    ]


def _chain(
    admin: Ed25519Signer, org: str, entries: Sequence[Entry], now_ms: int
) -> list[tuple[bytes, str]]:
    records: list[tuple[bytes, str]] = []
    previous = GENESIS_PREVIOUS
    for sequence, entry in enumerate(entries):
        envelope, previous = record_envelope(admin, org, (sequence, previous), entry, now_ms)
        records.append((envelope, previous))
    return records
