"""Atomic file writes: complete and durable or absent, and never over a file by accident."""

import os
import stat
from pathlib import Path

import pytest

from signer.custody.atomic_write import MODE_PRIVATE, atomic_file, write_atomic


@pytest.mark.parametrize("how", [{"replace": False}, {"replace": True}])
def test_content_is_on_disk_before_its_name_and_the_name_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: dict[str, bool]
) -> None:
    path, synced, fsync = tmp_path / "file", [], os.fsync

    def watched(handle: int) -> None:
        fsync(handle)
        what = "folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "content"
        synced.append((what, path.exists()))

    monkeypatch.setattr(os, "fsync", watched)
    write_atomic(path, b"all of it", **how)
    assert synced == [("content", False), ("folder", True)]
    assert path.read_bytes() == b"all of it"
    assert list(tmp_path.iterdir()) == [path]


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(TypeError), atomic_file(path, replace=True) as file:
        file.writelines([b"half of i", None])  # type: ignore[list-item]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_that_is_taken_is_not_replaced_unasked(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(FileExistsError) as caught:
        write_atomic(path, b"new", replace=False)
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["", ".", "..", "/", "pipe"])
def test_only_regular_files_are_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    with pytest.raises(OSError, match=r"File exists|Is a directory"):
        write_atomic(Path(name), b"new", replace=True)
    assert stat.S_ISFIFO(Path("pipe").stat().st_mode)


def test_a_missing_folder_is_reported_with_the_requested_path(tmp_path: Path) -> None:
    path = tmp_path / "none" / "file"
    with pytest.raises(FileNotFoundError) as caught:
        write_atomic(path, b"new", replace=False)
    assert caught.value.filename == str(path)


def test_a_private_file_is_never_open_to_others(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with atomic_file(tmp_path / "key", replace=False, mode=MODE_PRIVATE):
            (draft,) = tmp_path.iterdir()
            assert stat.S_IMODE(draft.stat().st_mode) == 0o600
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
