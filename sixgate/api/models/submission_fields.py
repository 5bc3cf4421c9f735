"""Fields of requests to sign: amounts, integers, addresses, bytes and lists.

Each parser takes a parsed JSON value and returns the value for the intent, or raises ``ValueError``
with a sentence that says what the value must be. Null counts as absent in optional fields.
"""

import re
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import Field, PlainValidator

from schemas import fields
from schemas.intents.intent import AUTHORIZATIONS_MAX, BLOBS_MAX, TYPED_DATA_LENGTH_MAX
from schemas.intents.intent_parts import ENTRIES_MAX, AccessList, ClientShare, SignedAuthorization
from schemas.intents.money import wei_to_eth
from signer.core.ethereum.transaction import TxType
from sixgate.authoring import form_fields as read

Parsed = TypeVar("Parsed")
ETH_EVER_MAX = 10**9  # more ETH than exists
_ETH_EXAMPLE = '"0.5"'
_WHOLE = re.compile(r"0|[1-9][0-9]{0,77}", re.ASCII)


def value(given: Any) -> int:
    """Convert decimal ETH to wei; refuse JSON numbers, and integers that must have meant wei."""
    if not isinstance(given, str):
        raise ValueError(  # noqa: TRY004 - for pydantic
            f"must be decimal ETH in a string, such as {_ETH_EXAMPLE}: a JSON number is not exact, "
            "and could also mean wei"
        )
    if _WHOLE.fullmatch(given) and int(given) >= ETH_EVER_MAX:
        raise ValueError(
            f"is in ETH, not in wei, and {given} ETH is more than exists: {given} wei are written "
            f'"{wei_to_eth(int(given))}"'
        )
    return read.eth(given)


def amount_wei(given: Any) -> Any:
    """Parse whole wei from a string or a number."""
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise ValueError('must be whole wei, such as "30000000000"')  # noqa: TRY004 - for pydantic
    return _uint256(str(given) if isinstance(given, int) else given)


def whole(check: Callable[[Any], Parsed]) -> Callable[[Any], Parsed]:
    """Return a parser that also accepts a number in a string."""

    def parse(given: Any) -> Parsed:
        in_string = isinstance(given, str) and _WHOLE.fullmatch(given)
        return check(int(given) if in_string else given)

    return parse


def optional(parse: Callable[[Any], Parsed]) -> Callable[[Any], Parsed | None]:
    """Return a parser that takes null as absent."""

    def parse_given(given: Any) -> Parsed | None:
        return None if given is None else parse(given)

    return parse_given


_uint256 = read.matching(fields.Uint256, "must be whole wei below 2^256")
_count = read.matching(fields.Count, "must be a whole number, 0 to 2^53 - 1")
_gas = read.matching(fields.Gas, "must be a whole number, 1 to 2^53 - 1")
_tx_type = read.matching(
    Annotated[int, Field(ge=min(TxType), le=max(TxType))], "must be 0, 1, 2, 3 or 4"
)
_path = read.matching(
    fields.KeyPath,
    "must begin with keys/, wallets/, agents/ID/keys/ or agents/ID/chains/ with the agent's own "
    "ID, and have up to six parts in lower case",
)


def recipient(given: Any) -> str | None:
    """Parse an address; refuse one of another kind of chain with a reason of its own."""
    if isinstance(given, str) and given and given[:2] not in ("0x", "0X"):
        raise ValueError(
            "must be an address of an EVM chain, 0x and 40 hexadecimal digits: Sixgate signs for "
            "no other chains"
        )
    return read.recipient(given)


def data(given: Any) -> str:
    """Parse call data in hex; empty text counts as none."""
    return str(read.data(given or "0x"))


def flag(given: Any) -> bool:
    """Parse a switch; null is off."""
    return bool(read.flag(given is not None and given))


def text(given: Any) -> str:
    """Check that a message is text; the request's model refuses text that UTF-8 cannot encode."""
    if not isinstance(given, str):
        raise ValueError("must be a string")  # noqa: TRY004 - for pydantic
    return given


def typed_data(given: Any) -> str:
    """Serialise typed data (EIP-712) to the JSON text that the signer parses."""
    try:
        document = read.typed_data(given)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    if len(document) > TYPED_DATA_LENGTH_MAX:
        raise ValueError(f"is over {TYPED_DATA_LENGTH_MAX} characters of JSON")
    return document


def access_list(given: Any) -> AccessList:
    """Parse an access list; ``storageKeys`` is accepted for ``storage_keys``."""
    few = _few(given, ENTRIES_MAX)
    return read.access_list(_each(few, {"storageKeys": "storage_keys"}))


def authorization_list(given: Any) -> tuple[SignedAuthorization, ...]:
    """Parse signed delegations; ``chainId`` and ``yParity`` are accepted too."""
    few = _few(given, AUTHORIZATIONS_MAX)
    return read.authorization_list(_each(few, {"chainId": "chain_id", "yParity": "y_parity"}))


def blob_versioned_hashes(given: Any) -> tuple[str, ...]:
    """Parse versioned blob hashes, in lower or upper case."""
    return read.blob_versioned_hashes(_lowered(_few(given, BLOBS_MAX)))


def signs_only(given: Any) -> bool:
    """Accept only true: nothing is sent yet."""
    if given is None or given is True:
        return True
    raise ValueError("must be true: this route signs and does not broadcast")


def _few(given: Any, count_max: int) -> Any:
    """Refuse a list that is too long before its entries are parsed: that blocks the event loop."""
    if isinstance(given, list) and len(given) > count_max:
        raise ValueError(f"has {len(given)} entries; at most {count_max} are possible")
    return given


def _each(given: Any, names: dict[str, str]) -> Any:
    """Rename members of each entry, check its address, and write storage keys in lower case."""
    if not isinstance(given, list):
        return given
    return [_entry(entry, names) if isinstance(entry, dict) else entry for entry in given]


def _entry(entry: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    renamed = {names.get(name, name): member for name, member in entry.items()}
    if "address" in renamed:
        renamed["address"] = read.address(renamed["address"])
    if "storage_keys" in renamed:
        renamed["storage_keys"] = _lowered(renamed["storage_keys"])
    return renamed


def _lowered(given: Any) -> Any:
    if not isinstance(given, list):
        return given
    return [one.lower() if isinstance(one, str) and one.isascii() else one for one in given]


Entries = list[dict[str, Any]]
Chain = Annotated[str | int, PlainValidator(read.chain, json_schema_input_type=str | int)]
Eth = Annotated[int, PlainValidator(value, json_schema_input_type=str)]
Wei = Annotated[
    int | None, PlainValidator(optional(amount_wei), json_schema_input_type=str | int | None)
]
Nonce = Annotated[
    int | None, PlainValidator(optional(whole(_count)), json_schema_input_type=int | str | None)
]
Gas = Annotated[
    int | None, PlainValidator(optional(whole(_gas)), json_schema_input_type=int | str | None)
]
Type = Annotated[
    int | None, PlainValidator(optional(whole(_tx_type)), json_schema_input_type=int | str | None)
]
Recipient = Annotated[str | None, PlainValidator(recipient, json_schema_input_type=str | None)]
CallData = Annotated[str, PlainValidator(data, json_schema_input_type=str | None)]
Path = Annotated[str | None, PlainValidator(optional(_path), json_schema_input_type=str | None)]
Flag = Annotated[bool, PlainValidator(flag, json_schema_input_type=bool | None)]
Share = Annotated[
    ClientShare | None,
    PlainValidator(optional(read.client_share), json_schema_input_type=dict[str, str | int] | None),
]
Accesses = Annotated[
    AccessList | None, PlainValidator(optional(access_list), json_schema_input_type=Entries | None)
]
BlobHashes = Annotated[
    tuple[str, ...] | None,
    PlainValidator(optional(blob_versioned_hashes), json_schema_input_type=list[str] | None),
]
Authorizations = Annotated[
    tuple[SignedAuthorization, ...] | None,
    PlainValidator(optional(authorization_list), json_schema_input_type=Entries | None),
]
Message = Annotated[str | None, PlainValidator(optional(text), json_schema_input_type=str | None)]
TypedData = Annotated[
    str | None,
    PlainValidator(optional(typed_data), json_schema_input_type=dict[str, Any] | None),
]
SignOnly = Annotated[bool, PlainValidator(signs_only, json_schema_input_type=bool | None)]
