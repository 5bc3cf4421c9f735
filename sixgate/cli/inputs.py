"""Input: models from options and JSON files; wrong input ends the command."""

import json
import sys
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from schemas.canonical import Canonical, malformed
from schemas.strict_json import JsonError, read_json
from sixgate.cli.session import fail_usage

FIELDS = "docs/attestation.md lists the fields"
FILE_BYTES_MAX = 1024 * 1024
Model = TypeVar("Model", bound=Canonical)
RULES = {
    "symbol": "must be 1 to 12 letters or digits",
    "explorer": "must be at most 128 characters",
    "rpc_url": "must be at most 512 characters",
    "aliases": "must be at most 16 names",
    "key_paths": "must be at most 64 paths",
    "public_key": "must be a public key: 0x and 64 lower-case hex digits",
    "default_fees": "must be amounts below 2^256 wei, and gas below 2^53",
    "vault": "must be a name: lower-case letters, digits, '.', '_' and '-'",
    "accounts": "must be 1 to 256 names",
    "settings": "must be names of settings: see sixgate settings get",
    "grants": "must be at most 128 grants",
    "chain_id": "must be a positive chain id, below 2^53",
}
"""The rest of the error for a wrong field, after its name and value."""


def entry(kind: type[Model], **fields: Any) -> Model:
    """Build an entry from JSON values; a None is omitted."""
    known = {name: value for name, value in fields.items() if value is not None}
    try:
        return kind.model_validate_json(json.dumps(known))
    except ValidationError as error:
        wrong = malformed(error)
        field = wrong.where.split(".")[0]
        fail_usage(f"{field} {fields.get(field)!a} {RULES.get(field, f'is wrong: {wrong.why}')}")


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
