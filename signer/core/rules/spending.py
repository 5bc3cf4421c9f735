"""Detects typed data that can spend: that moves money or grants the right to move it.

Detection is by struct names anywhere in the message and by the members of all its structs together,
so it also finds a renamed, nested, split, widened or wrapped type. It prefers false positives,
which cost one more line in a policy. It is a safety net under ``eip712_default_policy = "allow"``,
not a proof: a contract of the attacker's choice can give any shape any meaning. Only ``"deny"``
protects against that.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from signer.core.ethereum.typed_data.structs import Member, Struct
from signer.core.ethereum.typed_data.values import ELEMENTARY

_FOREIGN = re.compile(r"[^a-z0-9]")
_STRUCT: Final = "struct"
_WORD: Final = "word"
_DYNAMIC: Final = "dynamic"


class SpendingType(NamedTuple):
    """One row: a kind of spending, parts of struct names that indicate it, and its shapes.

    A shape lists members as ``name:type``; all must be present. ``a/b`` matches either name.
    """

    kind: str
    names: tuple[str, ...]
    shapes: tuple[str, ...]


SPENDING_TYPES: Final = (
    SpendingType(
        "permit2",
        ("permitsingle", "permitbatch", "transferfrom", "permitdetails", "tokenpermissions"),
        (
            "token:address amount:uint expiration/deadline/sigdeadline:uint",
            "permitted/details:struct spender:address",
        ),
    ),
    SpendingType(
        "permit",
        ("permit",),
        (
            "spender/operator/guy:address value/amount/wad/tokenid:any",
            "spender/operator:address allowed/approved:bool",
            "spender/operator:address deadline/expiry/expiration/nonce:uint",
        ),
    ),
    SpendingType(
        "transfer_authorization",
        ("withauthorization",),
        (
            "from:address to:address value/amount/tokenid:uint",
            "from:address validafter:uint validbefore:uint",
        ),
    ),
    SpendingType(
        "transfer",
        ("hyperliquidtransaction",),
        (
            "to/recipient/receiver/destination/dest:any value/amount/wad:any",
            "agentaddress:address",
        ),
    ),
    SpendingType(
        "order",
        ("order", "maker", "loanoffer"),
        (
            "collection:address price/amount/totalamount:uint",
            "offerer:address consideration:struct",
            "offer:struct consideration:struct",
            "selltoken/makerasset/makertoken:address sellamount/makingamount/makeramount:uint",
        ),
    ),
    SpendingType(
        "safe_transaction",
        ("safetx", "safemessage"),
        ("to:address data:bytes operation:uint", "safetxgas:uint"),
    ),
    SpendingType(
        "user_operation",
        ("useroperation", "userop", "safeop"),
        (
            "sender/account/safe:address calldata:bytes",
            "calldata:bytes callgaslimit/accountgaslimits:uint",
        ),
    ),
    SpendingType(
        "call",
        ("metatransaction", "forwardrequest", "relayrequest"),
        (
            "to/target/dest:address data/calldata/func:bytes",
            "from:address functionsignature:bytes",
        ),
    ),
    SpendingType(
        "delegation",
        ("delegation",),
        ("delegate:address delegator:address", "delegate:address authority:bytes"),
    ),
)

OPAQUE: Final = "opaque"
"""The kind of typed data that shows only a hash or bytes, which may hide spending."""

_FORMS: Final = {
    "address": frozenset({_WORD}),
    "uint": frozenset({_WORD}),
    "bool": frozenset({_WORD}),
    "bytes": frozenset({_WORD, _DYNAMIC}),  # bytes are often signed as their hash
    "any": frozenset({_WORD, _DYNAMIC}),  # amounts and recipients may be text
    "struct": frozenset({_STRUCT}),
}


def find_spending(structs: Mapping[str, Struct]) -> str | None:
    """Return the kind of the first row of `SPENDING_TYPES` that the structs match, or None."""
    names = [_normalised(name) for name in structs]
    for kind, parts, _ in SPENDING_TYPES:
        if any(part in name for part in parts for name in names):
            return kind
    present = {
        (_normalised(member.name), _form(member))
        for struct in structs.values()
        for member in struct.members
    }
    for kind, shapes in _SHAPES:
        if any(all(present & either for either in shape) for shape in shapes):
            return kind
    return OPAQUE if any(map(_opaque, structs.values())) else None


def _opaque(struct: Struct) -> bool:
    """Return whether a struct holds only bytes, as a wallet's wrapper around another hash does."""
    return len(struct.members) == 1 and struct.members[0].base in ("bytes", "bytes32")


@lru_cache(maxsize=1024)
def _normalised(name: str) -> str:
    """Return a name in lower case without punctuation: ``_safeTxGas`` gives ``safetxgas``."""
    return _FOREIGN.sub("", name.lower())


def _form(member: Member) -> str:
    """Return how a member is encoded, ignoring integer widths and arrays."""
    if member.base not in ELEMENTARY:
        return _STRUCT
    return _DYNAMIC if member.base in ("bytes", "string") else _WORD


def _parse(shape: str) -> tuple[frozenset[tuple[str, str]], ...]:
    """Parse a shape; each member becomes the set of names and forms that match it."""
    pairs: Iterable[list[str]] = (member.split(":") for member in shape.split())
    return tuple(
        frozenset((name, form) for name in names.split("/") for form in _FORMS[wanted])
        for names, wanted in pairs
    )


_SHAPES: Final = tuple((row.kind, tuple(map(_parse, row.shapes))) for row in SPENDING_TYPES)
