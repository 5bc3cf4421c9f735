"""Parsers for the fields of a hand-written intent; pure.

Each takes a parsed JSON value and returns the value for the wire, or raises ``ValueError`` with a
sentence that says what the value must be.
"""

import difflib
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from schemas import fields
from schemas.canonical import Canonical, malformed
from schemas.intents.intent import EXPIRY_MS_MAX
from schemas.intents.intent_parts import (
    AccessList,
    AccessListEntry,
    ClientShare,
    SignedAuthorization,
)
from schemas.intents.money import eth_to_wei, wei_to_eth
from schemas.intents.outcome import SIGNED_TYPES
from schemas.intents.reasons import Reason
from signer.core.errors import AddressError
from signer.core.ethereum.address import parse_address
from signer.core.ethereum.transaction import TxType
from sixgate.api import Json

WEI_PER_GWEI = 10**9
SIGNED = "signed"

EXPIRY_S_MAX = EXPIRY_MS_MAX // 1000
LABEL_LENGTH_MAX = 64
_SCALAR_HEX = re.compile(r"0x[0-9a-fA-F]{1,64}")
Part = TypeVar("Part", bound=Canonical)


def matching(kind: Any, expected: str) -> Callable[[Any], Any]:
    """Return a parser for one type; ``expected`` is its error sentence."""
    adapter: TypeAdapter[Any] = TypeAdapter(kind)

    def check(value: Any) -> Any:
        try:
            return adapter.validate_python(value, strict=True)
        except ValidationError:
            raise ValueError(expected + _non_ascii(value)) from None

    return check


def _non_ascii(value: Any) -> str:
    """Name the first non-ASCII character: it may look like an ASCII one."""
    if not isinstance(value, str) or value.isascii():
        return ""
    for position, character in enumerate(value, start=1):
        if not character.isascii():
            called = unicodedata.name(character, "a character without a name")
            return f"; character {position} is U+{ord(character):04X}, {called}"
    return ""


name = matching(fields.Name, "must be a name: lower-case letters, digits, '.', '_' and '-'")
chain_name = matching(fields.Name, 'must be a chain\'s name such as "base", or its chain id')
chain_id = matching(fields.ChainId, "must be a positive chain id")
count = matching(fields.Count, "must be a whole number without quotes, 0 to 2^53 - 1")
expiry = matching(
    fields.ExpiryMs, "must be a whole number without quotes: milliseconds since 1970, up to 2100"
)
tx_type = matching(
    Annotated[int, Field(ge=min(TxType), le=max(TxType))], "must be 0, 1, 2, 3 or 4, without quotes"
)
gas = matching(fields.Gas, "must be a whole number without quotes, 1 to 2^53 - 1")
uint256 = matching(fields.Uint256, "must be an unsigned integer below 2^256")
whole_bytes = matching(fields.Data, "must be whole bytes in hex with 0x, at most 128 KiB")
key_path = matching(fields.KeyPath, "must be a path such as keys/base-signer, in lower case")
idempotency_key = matching(
    fields.IdempotencyKey, "must be 1 to 128 printable ASCII characters, no space"
)
_blob_hash = matching(fields.Digest, "must be a list of 32-byte hashes in hex with 0x")
flag = matching(bool, "must be true or false, without quotes")
seconds = matching(
    Annotated[int, Field(ge=1, le=EXPIRY_S_MAX)],
    f"must be whole seconds without quotes, 1 to {EXPIRY_S_MAX} (24 hours)",
)


def eth(value: Any) -> int:
    """Convert decimal ETH to wei."""
    return _converted(eth_to_wei, value)


def gwei(value: Any) -> int:
    """Convert decimal gwei to wei."""
    return _converted(gwei_to_wei, value)


def _converted(to_wei: Callable[[str], int], value: Any) -> int:
    try:
        return to_wei(_quoted(value))
    except ValueError as error:
        raise ValueError(f"is {error}") from None


def _quoted(value: Any) -> str:
    match value:
        case str():
            return value
        case float():
            raise ValueError('a float, which is not exact; put it in quotes, such as "0.5"')
    raise ValueError('not a decimal in quotes, such as "0.5"')


def wei(value: Any) -> Any:
    """Parse whole wei, with or without quotes."""
    match value:
        case bool() | float():
            raise ValueError('must be an integer, such as "500000000000000000"')
        case int():
            return uint256(str(value))
    return uint256(value)


def recipient(value: Any) -> str | None:
    """Parse an address, or null to create a contract."""
    match value:
        case None:
            return None
        case str():
            return address(value)
    raise ValueError("must be an address in quotes, or null to create a contract")


def address(text: Any) -> str:
    """Parse an address; one in mixed case must have a valid checksum (EIP-55)."""
    if not isinstance(text, str):
        raise ValueError("must be an address in quotes")  # noqa: TRY004 - for pydantic
    try:
        return f"0x{parse_address(text).hex()}"
    except AddressError as error:
        raise ValueError(str(error).removesuffix(".")) from None


def data(value: Any) -> Any:
    """Parse bytes in hex, in lower or upper case."""
    return whole_bytes(value.lower() if isinstance(value, str) and value.isascii() else value)


def chain(value: Any) -> Any:
    """Parse a chain's name or id."""
    return chain_id(value) if isinstance(value, int) else chain_name(value)


def ending(value: Any) -> str:
    """Parse the expected result: ``signed`` or a reason code."""
    if value == SIGNED or value in list(Reason):
        return str(value)
    raise ValueError(f'must be "{SIGNED}" or the code of a reason, such as "value_too_high"')


def label(value: Any) -> str:
    """Parse a line's label."""
    if isinstance(value, str) and value.isprintable() and 0 < len(value) <= LABEL_LENGTH_MAX:
        return value
    raise ValueError(f"must be 1 to {LABEL_LENGTH_MAX} printable characters")


def client_share(value: Any) -> ClientShare:
    """Parse a client share as ``sixgate keys seal-share`` prints it."""
    try:
        return ClientShare.model_validate_json(json.dumps(value))
    except (ValidationError, RecursionError):
        raise ValueError("must be the object that sixgate keys seal-share prints") from None


def chain_or_every(value: Any) -> Any:
    """Parse a chain's name or id; 0 means every chain."""
    return value if value == 0 and isinstance(value, int) else chain(value)


def text_message(value: Any) -> str:
    """Encode a message's text as UTF-8 bytes in hex."""
    if not isinstance(value, str):
        raise ValueError("must be text in quotes")  # noqa: TRY004 - for pydantic
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("must be valid text: write other bytes as message_hex")
    return str(whole_bytes(f"0x{value.encode().hex()}"))


def typed_data(value: Any) -> str:
    """Serialise typed data (EIP-712), a JSON object as wallets accept it."""
    if not isinstance(value, dict):
        raise ValueError("must be an object with types, primaryType, domain and message")  # noqa: TRY004 - for pydantic
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def access_list(value: Any) -> AccessList:
    """Parse an access list: ``[{"address": …, "storage_keys": […]}]``."""
    return tuple(_parts(AccessListEntry, value, "an address and its storage_keys"))


def authorization_list(value: Any) -> tuple[SignedAuthorization, ...]:
    """Parse signed delegations; r and s in decimal, or in hex with 0x."""
    what = "chain_id, address, nonce, y_parity, r and s"
    entries = [_with_scalars(one) for one in value] if isinstance(value, list) else value
    return tuple(_parts(SignedAuthorization, entries, what))


def _with_scalars(entry: Any) -> Any:
    if not isinstance(entry, dict):
        return entry
    return entry | {part: _scalar(entry[part]) for part in ("r", "s") if part in entry}


def _scalar(value: Any) -> Any:
    """Convert a hex number to the wire's decimal string; leave other values to the model."""
    in_hex = isinstance(value, str) and _SCALAR_HEX.fullmatch(value)
    return str(int(value, 16)) if in_hex else value


def blob_versioned_hashes(value: Any) -> tuple[str, ...]:
    """Parse versioned blob hashes."""
    if not isinstance(value, list):
        raise ValueError("must be a list of hashes")  # noqa: TRY004 - for pydantic
    return tuple(_blob_hash(one) for one in value)


def _parts(model: type[Part], value: Any, what: str) -> Iterator[Part]:
    if not isinstance(value, list):
        raise ValueError(f"must be a list of objects with {what}")  # noqa: TRY004 - for pydantic
    for number, one in enumerate(value):
        try:
            yield model.model_validate_json(json.dumps(one))
        except ValidationError as error:
            problem = malformed(error)
            place = "" if problem.where == "bytes" else f".{problem.where}"
            raise ValueError(f"[{number}]{place}: {problem.why}") from None
        except RecursionError:
            raise ValueError(f"[{number}]: is nested too deeply") from None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ": did you mean X?" with the most similar known name; empty if there is none."""
    near = difflib.get_close_matches(name, list(known), 1)
    return f": did you mean {near[0]}?" if near else ""


def result_of(event: Json) -> str:
    """Return the result of a terminal event: ``signed`` or its reason code."""
    return SIGNED if event["type"] in SIGNED_TYPES else str(event["reason"])


def gwei_to_wei(gwei: str) -> int:
    """Convert a plain decimal of gwei to wei.

    Raises ``ValueError`` as ``eth_to_wei`` does, and for more than 9 decimals.
    """
    wei, finer = divmod(eth_to_wei(gwei), WEI_PER_GWEI)
    if finer:
        raise ValueError("finer than a wei: a gwei has 9 decimals")
    return wei


def wei_to_gwei(wei: int) -> str:
    """Write wei as the shortest decimal of gwei that converts back to it."""
    return wei_to_eth(wei * WEI_PER_GWEI)
