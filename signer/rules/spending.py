"""Which typed data can move money or give away the right to: known by name and by shape.

A struct is known by its name wherever it stands in the message, and a message by the members of
all its structs together, so that a renamed, nested, split, widened or wrapped type is known too.
Matching is generous on purpose: who is wrongly taken for spending needs one more line in a
policy. It is a net under ``eip712_default_policy = "allow"``, not a proof: a contract of the
attacker's choice can give any shape any meaning, which only ``"deny"`` answers.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from signer.ethereum.typed_data.structs import Member, Struct
from signer.ethereum.typed_data.values import ELEMENTARY

_FOREIGN = re.compile(r"[^a-z0-9]")
_STRUCT: Final = "struct"
_WORD: Final = "word"
_DYNAMIC: Final = "dynamic"


class SpendingType(NamedTuple):
    """One row: a kind, parts of struct names that betray it, and its shapes.

    A shape is members as ``name:type`` that must all be there; ``a/b`` is either name.
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
"""The kind of what shows only a hash or bytes: it may stand for anything, spending too."""

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
    names = [_plain(name) for name in structs]
    for kind, parts, _ in SPENDING_TYPES:
        if any(part in name for part in parts for name in names):
            return kind
    present = {
        (_plain(member.name), _form(member))
        for struct in structs.values()
        for member in struct.members
    }
    for kind, shapes in _SHAPES:
        if any(all(present & either for either in shape) for shape in shapes):
            return kind
    return OPAQUE if any(map(_opaque, structs.values())) else None


def _opaque(struct: Struct) -> bool:
    """Tell whether a struct is nothing but bytes: a wallet's wrapper around any other hash."""
    return len(struct.members) == 1 and struct.members[0].base in ("bytes", "bytes32")


@lru_cache(maxsize=1024)
def _plain(name: str) -> str:
    """Return a name without case and punctuation: ``_safeTxGas`` is ``safetxgas``."""
    return _FOREIGN.sub("", name.lower())


def _form(member: Member) -> str:
    """Return how a member is encoded; widths of integers and arrays around it do not count."""
    if member.base not in ELEMENTARY:
        return _STRUCT
    return _DYNAMIC if member.base in ("bytes", "string") else _WORD


def _read(shape: str) -> tuple[frozenset[tuple[str, str]], ...]:
    """Read one shape into its members, each as the names and forms that satisfy it."""
    pairs: Iterable[list[str]] = (member.split(":") for member in shape.split())
    return tuple(
        frozenset((name, form) for name in names.split("/") for form in _FORMS[wanted])
        for names, wanted in pairs
    )


_SHAPES: Final = tuple((row.kind, tuple(map(_read, row.shapes))) for row in SPENDING_TYPES)
