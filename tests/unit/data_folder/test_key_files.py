"""Key files: permissions, damage and foreign content."""

import os
from pathlib import Path

import pytest

from sixgate.data_folder.key_files import KeyFileError, create_key_file, load_key_file


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "admin.pem"
    create_key_file(path, bytes(range(32)))
    return path


def refusal(path: Path) -> str:
    with pytest.raises(KeyFileError) as caught:
        load_key_file(path, "admin")
    return str(caught.value)


def test_a_created_key_file_can_be_loaded(key_file: Path) -> None:
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert load_key_file(key_file, "admin").keyid == "admin"


def test_a_key_that_others_can_read_is_refused(key_file: Path) -> None:
    key_file.chmod(0o644)
    assert refusal(key_file).startswith(f"{key_file} can be read or written by others")


def test_a_key_of_another_user_is_refused(key_file: Path) -> None:
    os.chown(key_file, 12345, -1)
    assert "belongs to user 12345" in refusal(key_file)


def test_a_pipe_at_its_path_does_not_block(key_file: Path) -> None:
    key_file.unlink()
    os.mkfifo(key_file, 0o600)
    assert "is not a regular file" in refusal(key_file)


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\n"])
def test_a_file_without_a_key_is_refused_without_showing_its_content(
    key_file: Path, content: bytes
) -> None:
    key_file.write_bytes(content)
    message = refusal(key_file)
    assert message.startswith(f"{key_file} ")
    assert "key file" in message
    assert not content or content.decode().strip() not in message


def test_a_huge_file_is_not_read(key_file: Path) -> None:
    key_file.write_bytes(bytes(5000))
    assert "has 5000 bytes" in refusal(key_file)


def test_a_missing_key_says_what_to_do(key_file: Path) -> None:
    key_file.unlink()
    assert refusal(key_file).endswith("restore it")
