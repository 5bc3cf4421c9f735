"""A release's own two keys, in a file that only its provider's root key opens.

Whoever copies the file can neither read what is sealed for the release nor sign in its name.
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
from signer.custody.hpke import KEY_BYTES, HpkeKey
from signer.custody.kms.port import RootKms, require_wrapped
from signer.signatures import Ed25519Signer
from sixgate.data_folder.folder import Folder, FolderBusyError, FolderError


class ReleaseName(NamedTuple):
    """Whose release it is."""

    org: str
    provider: str

    @property
    def name(self) -> str:
        """The release's own name."""
        return f"release-{self.provider}"

    def context(self) -> bytes:
        """Return what the root key authenticates; no request names a context of this kind."""
        return canonical_bytes({"type": "release.keys", "v": 1, **self._asdict()})

    def file(self, folder: Folder) -> Path:
        """Return where the wrapped keys are."""
        return folder.path / "keys" / f"{self.name}.sealed"

    def mark(self, folder: Folder) -> Path:
        """Return where the newest policy that was taken is remembered."""
        return folder.path / f"{self.name}.mark"


@dataclass(frozen=True, slots=True)
class ReleaseKeys:
    """What opens boxes for the release, and what signs its answers."""

    sealing: HpkeKey = field(repr=False)
    signer: Ed25519Signer = field(repr=False)

    def __reduce__(self) -> NoReturn:
        raise TypeError("A release's keys cannot be copied or pickled.")


def create_keys(
    folder: Folder, place: ReleaseName, kms: RootKms, random_bytes: RandomBytes
) -> None:
    """Make both keys, and write them wrapped once they were seen to unwrap.

    Raises ``FolderError``, ``CustodyError``; keys that are there are never replaced.
    """
    file = place.file(folder)
    with wiping(draw(random_bytes, 2 * KEY_BYTES)) as keys:
        wrapped = kms.wrap(keys, place.context())
        with wiping(kms.unwrap(wrapped, place.context())) as again:
            if not hmac.compare_digest(keys, again):
                raise CorruptError(f"{kms.key_id} unwrapped to something else than it wrapped.")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(file, wrapped, replace=False, mode=MODE_PRIVATE)
    except FileExistsError:
        told = f"{file} is there already: sixgate release keys --show prints its entry"
        raise FolderError(told) from None
    except OSError as error:
        raise FolderError(f"{file} cannot be written: {error.strerror}") from None


def open_keys(folder: Folder, place: ReleaseName, kms: RootKms) -> ReleaseKeys:
    """Unwrap both keys; raises ``FolderError``, ``CustodyError``."""
    file = place.file(folder)
    try:
        wrapped = file.read_bytes()
    except OSError as error:
        told = f"{file} cannot be read ({error.strerror}): restore it, or run sixgate release keys"
        raise FolderError(told) from None
    require_wrapped(wrapped)
    with wiping(kms.unwrap(wrapped, place.context())) as keys, memoryview(keys) as view:
        if len(view) != 2 * KEY_BYTES:
            raise CorruptError(f"{file} holds no keys of a release; restore it.")
        sealing = HpkeKey(bytearray(view[:KEY_BYTES]))
        return ReleaseKeys(sealing, Ed25519Signer(place.name, view[KEY_BYTES:]))


@contextmanager
def alone(folder: Folder, place: ReleaseName) -> Iterator[None]:
    """Lock these keys for one release until the block ends; raise ``FolderBusyError``.

    Two on one mark could each take a policy that the other does not know of.
    """
    file = place.file(folder)
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
            f"another sixgate release runs on {folder.path}: stop it first, or give this one a "
            "folder of its own"
        ) from None
