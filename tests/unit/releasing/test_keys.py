"""Keys of a release: wrapped by its root key, created once, locked by one process."""

from pathlib import Path

import pytest

from schemas.canonical import MalformedError
from schemas.keys.release import decode_context
from signer.custody.errors import CorruptError, KmsKeyNotFoundError
from signer.custody.kms.port import RootKms
from sixgate.data_folder.folder import Folder, FolderBusyError
from sixgate.data_folder.signer_files import FolderError
from sixgate.releasing.keys import ReleaseName, create_keys, exclusive_lock, open_keys
from tests.harness.builders.custody_material import Stream
from tests.harness.builders.custody_providers import cloud

RELEASE = ReleaseName("acme", "gcp")


def made(path: Path, kms: RootKms | None = None, release: ReleaseName = RELEASE) -> Folder:
    folder = Folder(path / release.provider)
    create_keys(folder, release, kms or cloud("gcp"), Stream("keys"))
    return folder


def test_the_same_keys_open_again_and_no_file_has_them_in_plaintext(tmp_path: Path) -> None:
    folder = made(tmp_path)
    first, again = (open_keys(folder, RELEASE, cloud("gcp")) for _ in range(2))
    assert first.signer.public_key == again.signer.public_key
    assert first.sealing.public_key == again.sealing.public_key
    secret = bytes(Stream("keys")(64))
    raw = RELEASE.file(folder).read_bytes()
    assert all(half not in raw for half in (secret[:32], secret[32:]))
    assert RELEASE.file(folder).stat().st_mode & 0o077 == 0


def test_keys_are_never_replaced(tmp_path: Path) -> None:
    folder = made(tmp_path)
    before = RELEASE.file(folder).read_bytes()
    with pytest.raises(FolderError, match=r"release-gcp\.sealed .*sixgate release keys --show"):
        create_keys(folder, RELEASE, cloud("gcp"), Stream("others"))
    assert RELEASE.file(folder).read_bytes() == before


def test_no_other_root_key_or_context_opens_them(tmp_path: Path) -> None:
    folder, raw = made(tmp_path), b""
    with pytest.raises(KmsKeyNotFoundError):
        open_keys(folder, RELEASE, cloud("aws"))
    raw = RELEASE.file(folder).read_bytes()
    for other in (ReleaseName("acme", "aws"), ReleaseName("other", "gcp")):
        other.file(folder).write_bytes(raw)
        with pytest.raises(CorruptError):
            open_keys(folder, other, cloud("gcp"))


def test_every_changed_byte_is_detected(tmp_path: Path) -> None:
    folder = made(tmp_path)
    file = RELEASE.file(folder)
    raw = file.read_bytes()
    for at in range(len(raw)):
        file.write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
        with pytest.raises((CorruptError, KmsKeyNotFoundError)):
            open_keys(folder, RELEASE, cloud("gcp"))


def test_no_request_can_name_their_context() -> None:
    """Otherwise a signer could have the release unwrap its own keys."""
    with pytest.raises(MalformedError):
        decode_context(RELEASE.context())


class Forgetful:
    """A root key that does not unwrap to what it wrapped."""

    key_id = "local:forgetful"

    def wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:
        return cloud("gcp").wrap(plaintext, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        return bytearray(reversed(cloud("gcp").unwrap(wrapped, context)))


def test_keys_that_do_not_unwrap_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(CorruptError, match="local:forgetful"):
        made(tmp_path, Forgetful())
    assert not RELEASE.file(Folder(tmp_path / "gcp")).exists()


def test_a_second_release_on_the_same_keys_is_refused(tmp_path: Path) -> None:
    folder = made(tmp_path)
    refused = pytest.raises(FolderBusyError, match="another sixgate release")
    with exclusive_lock(folder, RELEASE), refused, exclusive_lock(folder, RELEASE):
        pass
    with exclusive_lock(folder, RELEASE):
        pass
