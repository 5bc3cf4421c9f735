"""Local genesis: one JSON file per chain with the accounts and contracts to simulate on.

    {"version": 1, "chain_id": 8453, "wrapped_native": "0x4200...0006",
     "block": {"number": 1, "timestamp_s": 1767225600, "base_fee_wei": "1000000",
               "gas_limit": 60000000},
     "alloc": {"0x...": {"balance_wei": "1000000000000000000", "nonce": 0,
                         "code": "Usdc", "storage": {"0x...": "0x..."}}}}

Addresses are lower case. `code` is byte code in hex, or the name of a contract in `contracts/`;
storage slots and words are 32 bytes of hex. `wrapped_native` (optional) names the wrapped-ether
contract: its Deposit and Withdrawal logs change balances.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
)

from schemas.canonical import validation_message
from schemas.fields import UINT256_MAX, Address
from schemas.strict_json import JsonError, read_json
from streams.simulators.contracts import contracts
from streams.simulators.reverts import printable
from streams.simulators.simulation import SimulatorError, Uint64

FILE_BYTES_MAX = 64 * 1024 * 1024
GAS_LIMIT_DEFAULT = 60_000_000
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,77}")


class GenesisError(SimulatorError):
    """A genesis file cannot be used; the message says where and why."""


def _from_decimal(value: Any) -> int:
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value) or int(value) > UINT256_MAX:
        raise ValueError('must be a quoted decimal integer below 2^256, such as "1000"')
    return int(value)


def _known_code(value: str) -> str:
    if not value.startswith("0x"):
        if value not in contracts():
            raise ValueError(f"is neither hex with 0x nor one of {', '.join(sorted(contracts()))}")
    elif not _is_hex(value[2:]):
        raise ValueError("must be an even number of hex digits after 0x")
    return value


def _is_hex(digits: str) -> bool:
    try:
        return len(bytes.fromhex(digits)) * 2 == len(digits)
    except ValueError:
        return False


DecimalUint256 = Annotated[int, BeforeValidator(_from_decimal), PlainSerializer(str)]
Code = Annotated[str, AfterValidator(_known_code)]
Word = Annotated[str, Field(pattern=r"^0x[0-9a-f]{64}$")]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Block(_Section):
    """The block that every simulated transaction runs in."""

    number: Uint64
    timestamp_s: Uint64
    base_fee_wei: DecimalUint256
    gas_limit: Uint64 = GAS_LIMIT_DEFAULT


class GenesisAccount(_Section):
    """One account of the allocation."""

    balance_wei: DecimalUint256 = 0
    nonce: Uint64 = 0
    code: Code = "0x"
    storage: dict[Word, Word] = {}

    def byte_code(self) -> bytes:
        """Return the account's code, b"" if it has no code."""
        if self.code.startswith("0x"):
            return bytes.fromhex(self.code[2:])
        return contracts()[self.code].runtime_code


class Genesis(_Section):
    """The initial state of one chain."""

    version: Literal[1] = 1
    chain_id: Annotated[Uint64, Field(gt=0)]
    wrapped_native: Address | None = None
    block: Block
    alloc: dict[Address, GenesisAccount]


def load_genesis(path: Path) -> Genesis:
    """Read and check one genesis file.

    Raises GenesisError: missing, unreadable, over FILE_BYTES_MAX, not JSON, or not the format.
    """
    content = _read(path)
    try:
        document = read_json(content)
    except JsonError as error:
        raise GenesisError(f"{_named(path)} {error}.") from error
    return parse_genesis(document, source=_named(path))


def parse_genesis(document: Any, source: str = "The genesis") -> Genesis:
    """Validate a genesis that was read from JSON; `source` starts the message of GenesisError."""
    try:
        return Genesis.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = printable(".".join(map(str, first["loc"])).encode("utf-8", "backslashreplace"))
        why = validation_message(first)
        raise GenesisError(
            f"{source} is invalid at {place or 'the root'}: {why}; correct it."
        ) from error


def _named(path: Path) -> str:
    """Name a file without its folders: agents read the message in the refusal of their intents."""
    return f"The genesis file {path.parent.name}/{path.name}"


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise GenesisError(f"{_named(path)} cannot be read: {reason}.") from error
    if len(content) > FILE_BYTES_MAX:
        raise GenesisError(f"{_named(path)} is over {FILE_BYTES_MAX} bytes; split it.")
    return content
