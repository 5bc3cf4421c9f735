"""Files of commands: JSON input, and secrets in private files or pipes."""

import json
import os
import sys
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from schemas.canonical import Canonical, malformed
from schemas.strict_json import JsonError, read_json
from signer.custody.atomic_write import MODE_PRIVATE, write_atomic
from signer.custody.buffers import wipe
from signer.custody.errors import PrivateFileError
from signer.custody.private_file import read_private
from sixgate.cli.exit_codes import fail_usage

FIELDS = "docs/attestation.md lists the fields"
FILE_BYTES_MAX = 1024 * 1024
SHARE_BYTES_MAX = 256
_KEY_BYTES = 32
Model = TypeVar("Model", bound=Canonical)


def read_canonical(file: Path, model: type[Model], advice: str = FIELDS) -> Model:
    """Return a file's content as ``model``, in any JSON formatting; a wrong file ends the command.

    ``advice`` is the part of the error that names the documentation of the fields.
    """
    with file.open("rb") as opened:  # a device may have no end
        raw = opened.read(FILE_BYTES_MAX + 1)
    if len(raw) > FILE_BYTES_MAX:
        fail_usage(f"{file} is larger than {FILE_BYTES_MAX} bytes: choose the right file")
    try:
        return model.model_validate_json(json.dumps(read_json(raw)))
    except JsonError as error:
        fail_usage(f"{file} {error}; {advice}")
    except ValidationError as error:
        wrong = malformed(error)
        fail_usage(f"{file}: {wrong.where} {wrong.why}; {advice}")


def read_input(file: Path) -> bytes:
    """Return a file's content; ``-`` is standard input."""
    return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()


def read_json_file(file: Path) -> Any:
    """Return the content of a JSON file; ``-`` is standard input."""
    try:
        return read_json(read_input(file))
    except JsonError as error:
        fail_usage(f"{file} {error}")


def read_own(file: Path, bytes_max: int) -> bytearray:
    """Return the content of a private file; the caller wipes it."""
    try:
        return read_private(file, bytes_max)
    except PrivateFileError as error:
        fail_usage(f"{file} {error}")


def read_hex(file: Path, what: str) -> bytearray:
    """Return the bytes of a private file in hexadecimal digits; the caller wipes them."""
    text = read_own(file, SHARE_BYTES_MAX)
    try:
        return bytearray.fromhex(text.decode("ascii").strip().removeprefix("0x"))
    except ValueError:
        fail_usage(f"{file} contains no {what} in hexadecimal digits: choose the right file")
    finally:
        wipe(text)


def read_key(file: Path) -> bytearray:
    """Return a key of 32 bytes from a private file in hexadecimal digits; the caller wipes it."""
    key = read_hex(file, "key")
    if len(key) != _KEY_BYTES:
        wipe(key)
        fail_usage(
            f"{file} contains no key of {2 * _KEY_BYTES} hexadecimal digits: choose the right file"
        )
    return key


def write_hex(file: Path, secret: bytes | bytearray) -> None:
    """Write a new private file in hexadecimal digits; raise ``OSError`` if it exists."""
    text = bytearray(secret.hex().encode() + b"\n")
    try:
        write_atomic(file, text, replace=False, mode=MODE_PRIVATE)
    finally:
        wipe(text)


def read_piped(what: str, bytes_max: int) -> bytearray:
    """Return at most ``bytes_max`` bytes of standard input; the caller wipes them."""
    if sys.stdin.isatty():
        fail_usage(f"a {what} is not read from a terminal: pipe it in, or name a file")
    text, size_bytes = bytearray(bytes_max), 0
    # Bypass Python's buffer, which would keep a copy.
    while read := os.readv(sys.stdin.fileno(), [memoryview(text)[size_bytes:]]):
        size_bytes += read
    found = text[:size_bytes]
    wipe(text)
    return found
