"""Sealing and signing key of a release, in a file wrapped by its provider's root key.

A copy of the file alone opens no request and signs no answer.

``create_keys``:
1. Generate both keys, wrap them, and prove that they unwrap.
   *If the process ends here, nothing is on disk.*
2. Write the file atomically; an existing one is never replaced.
   *If the process ends here, the file is absent or complete. A retry reports an existing file.*
"""

import fcntl
import hmac
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, NoReturn

from schemas.canonical import canonical_bytes
from signer.custody.atomic_write import MODE_PRIVATE, write_atomic
from signer.custody.buffers import RandomBytes, draw, wiping
from signer.custody.errors import CorruptError
from signer.custody.event_signing import Ed25519Signer
from signer.custody.hpke import KEY_BYTES, HpkeKey
from signer.custody.kms.port import RootKms, require_wrapped
from sixgate.data_folder.folder import Folder, FolderBusyError
from sixgate.data_folder.signer_files import FolderError


class ReleaseName(NamedTuple):
    """Organisation and provider of a release."""

    org: str
    provider: str

    @property
    def name(self) -> str:
        """The release's name in the policy and in events."""
        return f"release-{self.provider}"

    def context(self) -> bytes:
        """Return the encryption context of the keys; no request can name a context of this type."""
        return canonical_bytes({"type": "release.keys", "v": 1, **self._asdict()})

    def file(self, folder: Folder) -> Path:
        """Return the path of the wrapped keys."""
        return folder.path / "keys" / f"{self.name}.sealed"

    def mark(self, folder: Folder) -> Path:
        """Return the path of the mark of the newest accepted policy."""
        return folder.path / f"{self.name}.mark"


@dataclass(frozen=True, slots=True)
class ReleaseKeys:
    """The key that opens requests to the release, and the key that signs its answers."""

    sealing: HpkeKey = field(repr=False)
    signer: Ed25519Signer = field(repr=False)

    def __reduce__(self) -> NoReturn:
        raise TypeError("A release's keys cannot be copied or pickled.")


def create_keys(
    folder: Folder, release: ReleaseName, kms: RootKms, random_bytes: RandomBytes
) -> None:
    """Generate both keys and write them wrapped; never replaces existing keys.

    Raises ``FolderError``, ``CustodyError``.
    """
    # 1. Proven before anything is written: a key that does not unwrap would be lost.
    file = release.file(folder)
    with wiping(draw(random_bytes, 2 * KEY_BYTES)) as keys:
        wrapped = kms.wrap(keys, release.context())
        with wiping(kms.unwrap(wrapped, release.context())) as unwrapped:
            if not hmac.compare_digest(keys, unwrapped):
                raise CorruptError(
                    f"{kms.key_id} did not unwrap to what it wrapped: check the key and retry."
                )
    # 2. Atomic and durable.
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(file, wrapped, replace=False, mode=MODE_PRIVATE)
    except FileExistsError:
        message = f"{file} already exists: sixgate release keys --show prints its entry"
        raise FolderError(message) from None
    except OSError as error:
        raise FolderError(f"{file} cannot be written: {error.strerror}") from None


def open_keys(folder: Folder, release: ReleaseName, kms: RootKms) -> ReleaseKeys:
    """Unwrap both keys; raises ``FolderError``, ``CustodyError``."""
    file = release.file(folder)
    try:
        wrapped = file.read_bytes()
    except OSError as error:
        message = (
            f"{file} cannot be read ({error.strerror}): restore it, or run sixgate release keys"
        )
        raise FolderError(message) from None
    require_wrapped(wrapped)
    with wiping(kms.unwrap(wrapped, release.context())) as keys, memoryview(keys) as view:
        if len(view) != 2 * KEY_BYTES:
            raise CorruptError(f"{file} does not hold the keys of a release: restore it.")
        sealing = HpkeKey(bytearray(view[:KEY_BYTES]))
        return ReleaseKeys(sealing, Ed25519Signer(release.name, view[KEY_BYTES:]))


@contextmanager
def exclusive_lock(folder: Folder, release: ReleaseName) -> Iterator[None]:
    """Lock the keys for one process until the block ends; raise ``FolderBusyError``.

    Two processes with one mark could each accept a policy that the other does not know.
    """
    file = release.file(folder)
    try:
        handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise FolderError(f"{file} cannot be opened: {error.strerror}") from None
    try:
        _lock(handle, folder)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, folder: Folder) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise FolderBusyError(
            f"another sixgate release runs on {folder.path}: stop it first, or give this one "
            "another folder"
        ) from None
