"""The struct types of a document: complete, acyclic, all in use, and their type hashes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

from signer.ethereum.keccak import keccak256
from signer.ethereum.typed_data.errors import Code, TypedDataError
from signer.ethereum.typed_data.values import ELEMENTARY

DEPTH_MAX: Final = 32
STRUCTS_MAX: Final = 128
NAME_MAX: Final = 64
ENCODED_TYPES_LENGTH_MAX: Final = 512 * 1024
# Neither has a bracket, parenthesis or comma and a type's name no space, so no name can make
# one encodeType string mean two types. A colon stands in types of Hyperliquid; spaces in a
# member's name and the empty type name are what all libraries take.
_TYPE_NAME = re.compile(r"(?:[A-Za-z_$][A-Za-z0-9_$:]*)?")
_MEMBER_NAME = re.compile(r"[A-Za-z_$](?:[A-Za-z0-9_$ ]*[A-Za-z0-9_$])?")
_ELEMENTARY_LOOK = re.compile(
    r"(?:u?int|bytes)[0-9]*|byte|bool|address|string|function|u?fixed(?:[0-9]+x[0-9]+)?"
)
_FIELD_TYPE = re.compile(r"([^\[\]]{0,64})((?:\[(?:[1-9][0-9]{0,5})?\]){0,32})")
_LENGTH = re.compile(r"\[([0-9]*)\]")


class Member(NamedTuple):
    """One member of a struct: ``type`` as written, its base, and its arrays' lengths.

    ``Order[2][]`` has the base ``Order`` and the lengths 2 and None, inner first.
    """

    name: str
    type: str
    base: str
    lengths: tuple[int | None, ...]


Members: TypeAlias = tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Struct:
    """A struct type whose type hash (32 bytes) covers all that it contains."""

    name: str
    members: Members
    member_names: frozenset[str]
    type_hash: bytes


def read_structs(types: Mapping[str, Any], primary_type: Any) -> dict[str, Struct]:
    """Read the ``types`` of a document, without EIP712Domain, into structs by name.

    Raises TypedDataError unless every type is complete and acyclic and the primary type
    reaches it. The standard allows a struct that contains an array of itself; ethers does not,
    so it is refused. Source: EIP-712, definition of encodeType.
    """
    table = _read_table(types)
    if not isinstance(primary_type, str) or primary_type not in table:
        raise TypedDataError(
            Code.PRIMARY_TYPE_UNKNOWN, "must name one of the types.", "primaryType"
        )
    contained: dict[str, frozenset[str]] = {}
    _contain(primary_type, table, (), contained)
    for name in table:
        if name not in contained:
            reason = "is not used by the primary type."
            raise TypedDataError(Code.TYPE_UNUSED, reason, _place(name))
    definitions = {name: define(name, members) for name, members in table.items()}
    _require_short(definitions, contained)
    return {
        name: make_struct(name, table[name], _joined(definitions, name, below))
        for name, below in contained.items()
    }


def read_members(definition: Any) -> Members:
    """Read one type's list of ``{"name", "type"}``; raises TypedDataError."""
    if not isinstance(definition, list):
        raise TypedDataError(Code.LIST_EXPECTED, "must be a list of members.")
    members: dict[str, Member] = {}
    for index, entry in enumerate(definition):
        try:
            member = _read_member(entry, members)
        except TypedDataError as error:
            raise error.within(f"[{index}]") from None
        members[member.name] = member
    return tuple(members.values())


def make_struct(name: str, members: Members, encoded_type: str) -> Struct:
    """Return a struct; its encoded type is its own definition and those of all structs in it."""
    names = frozenset(member.name for member in members)
    return Struct(name, members, names, keccak256(encoded_type.encode()))


def define(name: str, members: Members) -> str:
    """Define one struct as encodeType does, without those in it."""
    return f"{name}({','.join(f'{member.type} {member.name}' for member in members)})"


def shown_name(name: str) -> str:
    """Return a name from the document as a place may show it; ``?`` stands for one ill-formed."""
    return name if len(name) <= NAME_MAX and _MEMBER_NAME.fullmatch(name) else "?"


def _read_table(types: Mapping[str, Any]) -> dict[str, Members]:
    if len(types) > STRUCTS_MAX:
        raise TypedDataError(Code.TOO_MANY_TYPES, f"are over {STRUCTS_MAX}.", "types")
    table: dict[str, Members] = {}
    for name, definition in types.items():
        _require_type_name(name)
        try:
            table[name] = read_members(definition)
        except TypedDataError as error:
            raise error.within(_place(name)) from None
    _require_complete(table)
    return table


def _require_type_name(name: str) -> None:
    if len(name) > NAME_MAX or not _TYPE_NAME.fullmatch(name):
        reason = f"must have names of up to {NAME_MAX} letters, digits, _, $ and colons."
        raise TypedDataError(Code.TYPE_NAME_INVALID, reason, "types")
    if _ELEMENTARY_LOOK.fullmatch(name):
        raise TypedDataError(Code.TYPE_NAME_INVALID, "is no name for a struct.", _place(name))


def _read_member(entry: Any, earlier: Mapping[str, Member]) -> Member:
    if not isinstance(entry, dict) or entry.keys() != {"name", "type"}:
        raise TypedDataError(Code.OBJECT_EXPECTED, 'must be an object of "name" and "type".')
    name, field_type = entry["name"], entry["type"]
    if not isinstance(field_type, str):
        raise TypedDataError(Code.TEXT_EXPECTED, "must be a string.", "type")
    if not isinstance(name, str):
        raise TypedDataError(Code.TEXT_EXPECTED, "must be a string.", "name")
    if name in earlier:
        raise TypedDataError(Code.MEMBER_REPEATED, "occurs twice in the type.", "name")
    return _member(name, field_type)


@lru_cache(maxsize=1024)
def _member(name: str, field_type: str) -> Member:
    """Read a member's two strings; what is kept is bounded, as both are once they are valid."""
    if len(name) > NAME_MAX or not _MEMBER_NAME.fullmatch(name):
        reason = f"must be up to {NAME_MAX} letters, digits, _, $ and inner spaces."
        raise TypedDataError(Code.MEMBER_NAME_INVALID, reason, "name")
    match = _FIELD_TYPE.fullmatch(field_type)
    if match is None:
        raise _unknown()
    lengths = tuple(int(length) if length else None for length in _LENGTH.findall(match[2]))
    return Member(name, field_type, match[1], lengths)


def _require_complete(table: Mapping[str, Members]) -> None:
    for name, members in table.items():
        for index, member in enumerate(members):
            if member.base not in ELEMENTARY and member.base not in table:
                raise _unknown().within(f"{_place(name)}[{index}]")


def _unknown() -> TypedDataError:
    reason = "is neither an elementary type, nor one of the types, nor an array of these."
    return TypedDataError(Code.TYPE_UNKNOWN, reason, "type")


def _contain(
    name: str,
    table: Mapping[str, Members],
    above: tuple[str, ...],
    contained: dict[str, frozenset[str]],
) -> frozenset[str]:
    """Note for a struct and all in it which other structs each contains."""
    if name in contained:
        return contained[name]
    if name in above:
        raise TypedDataError(Code.TYPE_CYCLIC, "contains itself.", _place(name))
    inner = {member.base for member in table[name]} & table.keys()
    deeper = (_contain(base, table, (*above, name), contained) for base in inner)
    contained[name] = frozenset(inner).union(*deeper)
    return contained[name]


def _require_short(definitions: Mapping[str, str], contained: Mapping[str, frozenset[str]]) -> None:
    """Bound what is hashed: a type's hash covers the definitions of all types that it contains."""
    length = sum(len(definitions[name]) for below in contained.values() for name in below)
    if length > ENCODED_TYPES_LENGTH_MAX:
        reason = f"repeat {length} characters of each other; {ENCODED_TYPES_LENGTH_MAX} are most."
        raise TypedDataError(Code.TOO_MANY_TYPES, reason, "types")


def _joined(definitions: Mapping[str, str], name: str, contained: frozenset[str]) -> str:
    return "".join(definitions[one] for one in (name, *sorted(contained)))


def _place(name: str) -> str:
    return f"types.{name}"
