"""The Solidity of a local chain, and the byte code that `make contracts` compiles from it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
COMPILED = FOLDER / "contracts.json"


@dataclass(frozen=True, slots=True)
class Contract:
    """One compiled contract.

    `methods` maps signatures to four-byte selectors (`0x…`), `errors` selectors to signatures,
    `storage_slots` state variables to their slot numbers.
    """

    name: str
    abi: tuple[Mapping[str, Any], ...]
    creation_code: bytes
    runtime_code: bytes
    methods: Mapping[str, str]
    errors: Mapping[str, str]
    storage_slots: Mapping[str, int]


@cache
def contracts() -> Mapping[str, Contract]:
    """Read the compiled contracts, by name."""
    compiled = json.loads(COMPILED.read_bytes())["contracts"]
    return {name: _contract(name, entry) for name, entry in compiled.items()}


@cache
def known_errors() -> Mapping[str, str]:
    """Return the signatures of all custom errors of these contracts, by selector (`0x…`)."""
    return {
        selector: signature
        for contract in contracts().values()
        for selector, signature in contract.errors.items()
    }


def _contract(name: str, entry: Mapping[str, Any]) -> Contract:
    return Contract(
        name=name,
        abi=tuple(entry["abi"]),
        creation_code=bytes.fromhex(entry["creation_code"][2:]),
        runtime_code=bytes.fromhex(entry["runtime_code"][2:]),
        methods=entry["methods"],
        errors=entry["errors"],
        storage_slots=entry["storage_slots"],
    )
