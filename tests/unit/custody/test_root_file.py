import errno
import os
import re
import resource
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from signer.custody.errors import RandomnessError, RootFileError
from signer.custody.kms.root_file import create_root_file, load_root_file, open_local_kms
from tests.harness.builders.custody_material import Stream


@pytest.fixture
def root_path(tmp_path: Path) -> Path:
    return tmp_path / "root.key"


def refusal(path: Path) -> str:
    with pytest.raises(RootFileError) as caught:
        load_root_file(path)
    return str(caught.value)


def names_in(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


def put(path: Path, content: bytes, mode: int = 0o600) -> None:
    path.write_bytes(content)
    path.chmod(mode)


def test_a_created_root_is_loaded(root_path: Path) -> None:
    random_bytes = Stream()
    create_root_file(root_path, random_bytes)
    assert load_root_file(root_path) == random_bytes.drawn[-1]
    assert len(load_root_file(root_path)) == 32


def test_a_kms_that_is_open_leaves_no_second_copy_of_its_root(
    root_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_root_file(root_path, Stream())
    filled: list[bytearray] = []

    def readv(descriptor: int, buffers: list[bytearray], read: Any = os.readv) -> int:
        filled.extend(buffers)
        return int(read(descriptor, buffers))

    monkeypatch.setattr(os, "readv", readv)
    kms = open_local_kms(root_path, Stream("kms"))
    assert filled == [bytearray(32)]
    assert kms.unwrap(kms.wrap(b"secret", b"{}"), b"{}") == b"secret"


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_new_root_is_readable_by_its_owner_alone_under_any_umask(
    root_path: Path, umask: int
) -> None:
    before = os.umask(umask)
    try:
        create_root_file(root_path, Stream())
    finally:
        os.umask(before)
    assert stat.S_IMODE(root_path.stat().st_mode) == 0o600


def test_leaves_no_second_copy_of_the_root(root_path: Path) -> None:
    create_root_file(root_path, Stream())
    assert names_in(root_path.parent) == ["root.key"]


def test_never_replaces_an_existing_root(root_path: Path) -> None:
    create_root_file(root_path, Stream())
    before = root_path.read_bytes()
    with pytest.raises(RootFileError, match="exists"):
        create_root_file(root_path, Stream("another"))
    assert root_path.read_bytes() == before
    assert names_in(root_path.parent) == ["root.key"]


def test_a_symbolic_link_at_its_path_is_not_followed(root_path: Path) -> None:
    target = root_path.parent / "elsewhere"
    root_path.symlink_to(target)
    with pytest.raises(RootFileError, match="exists"):
        create_root_file(root_path, Stream())
    assert not target.exists()


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RootFileError, match=os.strerror(errno.ENOENT)):
        create_root_file(tmp_path / "absent" / "root.key", Stream())


def test_a_source_that_runs_dry_leaves_no_file(root_path: Path) -> None:
    with pytest.raises(RandomnessError):
        create_root_file(root_path, lambda _size: b"short")
    assert names_in(root_path.parent) == []


@contextmanager
def full_after(size_bytes: int) -> Iterator[None]:
    """Let this process's files be full at a size; only here, for pytest writes to files too."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room_bytes", [0, 16, 31])
def test_a_disk_without_room_for_the_whole_root_is_refused_and_nothing_appears(
    root_path: Path, room_bytes: int
) -> None:
    with full_after(room_bytes), pytest.raises(RootFileError, match="cannot be written"):
        create_root_file(root_path, Stream())
    assert names_in(root_path.parent) == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o666])
def test_a_root_that_others_can_touch_is_refused(root_path: Path, mode: int) -> None:
    put(root_path, bytes(32), mode)
    assert "chmod 600" in refusal(root_path)


@pytest.mark.parametrize("size_bytes", [0, 1, 31, 33, 64, 65536])
def test_a_root_of_another_length_is_refused(root_path: Path, size_bytes: int) -> None:
    put(root_path, bytes(size_bytes))
    assert f"has {size_bytes} bytes" in refusal(root_path)


def test_a_missing_root_is_refused(root_path: Path) -> None:
    assert os.strerror(errno.ENOENT) in refusal(root_path)


def test_a_folder_in_its_place_is_refused(root_path: Path) -> None:
    root_path.mkdir(mode=0o700)
    assert "not a regular file" in refusal(root_path)


@pytest.mark.timeout(10)
def test_a_pipe_in_its_place_is_refused_without_waiting_for_a_writer(root_path: Path) -> None:
    os.mkfifo(root_path, 0o600)
    assert "not a regular file" in refusal(root_path)


def test_a_socket_in_its_place_is_refused(root_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root_path.parent)  # socket paths are short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(root_path.name)
        assert "cannot be opened" in refusal(root_path)


def test_a_root_of_another_user_is_refused(
    root_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(root_path, bytes(32))
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert f"belongs to user {owner};" in refusal(root_path)


def test_loading_leaks_no_descriptor_whether_it_succeeds_or_not(root_path: Path) -> None:
    create_root_file(root_path, Stream())
    load_root_file(root_path)
    root_path.chmod(0o644)
    refusal(root_path)
    assert not [path for path in opened() if path.is_relative_to(root_path.parent)]


def opened() -> Iterator[Path]:
    """Yield the open descriptors of this process, except those closed meanwhile."""
    for link in Path("/dev/fd").iterdir():
        with suppress(OSError):
            yield link.readlink()


def test_every_refusal_is_one_sentence_that_says_what_to_do(root_path: Path) -> None:
    put(root_path, bytes(32), 0o644)
    assert re.fullmatch(r"[A-Z].*(; |: ).*\.", refusal(root_path))
    assert "\n" not in refusal(root_path)
