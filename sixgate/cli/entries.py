"""Registry entries built from command-line input; a wrong field ends the command."""

import json
from typing import Any, TypeVar

from pydantic import ValidationError

from schemas.canonical import Canonical, malformed
from sixgate.cli.session import fail_usage

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

EntryT = TypeVar("EntryT", bound=Canonical)


def entry(kind: type[EntryT], **fields: Any) -> EntryT:
    """Build an entry from JSON values; a None is omitted."""
    known = {name: value for name, value in fields.items() if value is not None}
    try:
        return kind.model_validate_json(json.dumps(known))
    except ValidationError as error:
        wrong = malformed(error)
        field = wrong.where.split(".")[0]
        fail_usage(f"{field} {fields.get(field)!a} {RULES.get(field, f'is wrong: {wrong.why}')}")
