"""Typed-data documents: well-known ones, and random ones whose values fit their types."""

import json
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from signer.core.ethereum.address import checksum_address
from signer.core.ethereum.typed_data.document import TypedData, read_typed_data

Document = dict[str, Any]

CHAIN = 8453
USDC = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
OWNER = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
SPENDER = "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF"

PERMIT_MEMBERS = "address owner, address spender, uint256 value, uint256 nonce, uint256 deadline"
DETAILS_MEMBERS = "address token, uint160 amount, uint48 expiration, uint48 nonce"


def members(signature: str) -> list[dict[str, str]]:
    """Parse members in Solidity's notation, such as ``address to, uint256 id``."""
    pairs = (member.split(" ", 1) for member in signature.split(", ") if member)
    return [{"name": name, "type": field_type} for field_type, name in pairs]


def document(primary: str, message: Document, **types: str) -> Document:
    """Return a document of USDC on Base without an EIP712Domain type."""
    return {
        "types": {name: members(signature) for name, signature in types.items()},
        "primaryType": primary,
        "domain": {
            "name": "USD Coin",
            "version": "2",
            "chainId": CHAIN,
            "verifyingContract": USDC,
        },
        "message": message,
    }


def permit(**message: Any) -> Document:
    """Return a USDC permit in the form that wallets get."""
    said = {"owner": OWNER, "spender": SPENDER, "value": "1000000", "nonce": 0, "deadline": 2**64}
    made = document("Permit", said | message, Permit=PERMIT_MEMBERS)
    made["types"]["EIP712Domain"] = members(
        "string name, string version, uint256 chainId, address verifyingContract"
    )
    return made


def mail() -> Document:
    """Return a document that spends nothing: the standard's example with several recipients."""
    cow, bob = {"name": "Cow", "wallet": OWNER}, {"name": "Bob", "wallet": SPENDER}
    return document(
        "Mail",
        {"from": cow, "to": [bob], "contents": "Hello, Bob!"},
        Person="string name, address wallet",
        Mail="Person from, Person[] to, string contents",
    )


def changed(made: Document, path: str, value: Any) -> Document:
    """Return a copy with another value at a dotted path (``message.to.0.name``)."""
    copy = deepcopy(made)
    *steps, last = path.split(".")
    part: Any = copy
    for step in steps:
        part = part[int(step)] if isinstance(part, list) else part[step]
    part[int(last) if isinstance(part, list) else last] = value
    return copy


def without(made: Document, path: str) -> Document:
    """Return a copy without the value at a dotted path."""
    copy = deepcopy(made)
    *steps, last = path.split(".")
    part: Any = copy
    for step in steps:
        part = part[step]
    del part[last]
    return copy


def text(made: Document | str) -> str:
    """Return a document as its text."""
    return made if isinstance(made, str) else json.dumps(made, ensure_ascii=False)


def read(made: Document | str) -> TypedData:
    return read_typed_data(text(made), CHAIN)


def filled(name: str, types: dict[str, str], depth: int = 0) -> Document:
    """Return a value of a struct; arrays have their fixed number of items, else one."""
    return {
        member["name"]: _filled(member["type"], types, depth) for member in members(types[name])
    }


def _filled(field_type: str, types: dict[str, str], depth: int) -> Any:
    if field_type.endswith("]"):
        item, _, length = field_type[:-1].rpartition("[")
        return [_filled(item, types, depth)] * int(length or 1)
    if field_type in types:
        return filled(field_type, types, depth + 1)
    if field_type.startswith("bytes"):
        return "0x" + "ab" * int(field_type[5:] or 3)
    return {"address": SPENDER, "bool": True, "string": "text"}.get(field_type, 1)


def made_of(primary: str, **types: str) -> Document:
    """Return a document of these types with valid values."""
    return document(primary, filled(primary, types), **types)


_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_NAMES = st.from_regex(r"[A-Za-z_$][A-Za-z0-9_$]{0,6}", fullmatch=True)
_ADDRESSES = st.binary(min_size=20, max_size=20).map(checksum_address)


def _hex(length: int | None) -> st.SearchStrategy[str]:
    size = {"max_size": 70} if length is None else {"min_size": length, "max_size": length}
    return st.binary(**size).map(lambda content: "0x" + content.hex())


def _integers(bits: int, *, signed: bool) -> st.SearchStrategy[Any]:
    least, most = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    numbers = st.integers(least, most)
    return numbers | numbers.map(str) | st.integers(0, most).map(hex)


ELEMENTARY: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "address": _ADDRESSES | _ADDRESSES.map(str.lower),
    "string": _TEXTS,
    "bytes": _hex(None),
    **{f"bytes{length}": _hex(length) for length in range(1, 33)},
    **{f"uint{bits}": _integers(bits, signed=False) for bits in range(8, 257, 8)},
    **{f"int{bits}": _integers(bits, signed=True) for bits in range(8, 257, 8)},
}
DOMAINS = st.fixed_dictionaries(
    {},
    optional={
        "name": _TEXTS,
        "version": _TEXTS,
        "chainId": st.sampled_from([CHAIN, str(CHAIN), hex(CHAIN)]),
        "verifyingContract": ELEMENTARY["address"],
        "salt": _hex(32),
    },
)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Draw a document whose every struct is used: each is a member of the one before it."""
    names = draw(st.lists(_NAMES.map(lambda name: "T" + name), min_size=1, max_size=4, unique=True))
    types: dict[str, list[dict[str, str]]] = {}
    for index, name in enumerate(names):
        below = names[index + 1 :]
        bases = st.sampled_from(sorted(ELEMENTARY)) | st.sampled_from(below or ["bool"])
        drawn = draw(st.lists(bases, max_size=4)) + below[:1]
        labels = draw(st.lists(_NAMES, min_size=len(drawn), max_size=len(drawn), unique=True))
        types[name] = [
            {"name": label, "type": base + draw(_SUFFIXES)}
            for label, base in zip(labels, drawn, strict=True)
        ]
    value = draw(_values(names[0], types))
    shuffled = dict(draw(st.permutations(list(types.items()))))
    return {
        "types": shuffled,
        "primaryType": names[0],
        "domain": draw(DOMAINS),
        "message": value,
    }


_SUFFIXES = st.sampled_from(["", "", "", "[]", "[2]", "[][1]", "[1][]"])


def _values(field_type: str, types: dict[str, list[dict[str, str]]]) -> st.SearchStrategy[Any]:
    if field_type.endswith("]"):
        item, _, length = field_type[:-1].rpartition("[")
        least, most = (int(length), int(length)) if length else (0, 2)
        return st.lists(_values(item, types), min_size=least, max_size=most)
    if field_type in types:
        return st.fixed_dictionaries(
            {member["name"]: _values(member["type"], types) for member in types[field_type]}
        )
    return ELEMENTARY[field_type]
