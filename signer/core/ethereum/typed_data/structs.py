"""EIP-712 struct types: validates that they are complete, acyclic and used; hashes them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

from signer.core.ethereum.keccak import keccak256
from signer.core.ethereum.typed_data.errors import Code, TypedDataError
from signer.core.ethereum.typed_data.values import ELEMENTARY

DEPTH_MAX: Final = 32
STRUCTS_MAX: Final = 128
NAME_MAX: Final = 64
ENCODED_TYPES_LENGTH_MAX: Final = 512 * 1024
# Names have no bracket, parenthesis or comma, and type names no space, so no name can make one
# encodeType string mean two types. Hyperliquid's types contain colons; all libraries accept spaces
# in member names and the empty type name.
_TYPE_NAME = re.compile(r"(?:[A-Za-z_$][A-Za-z0-9_$:]*)?")
_MEMBER_NAME = re.compile(r"[A-Za-z_$](?:[A-Za-z0-9_$ ]*[A-Za-z0-9_$])?")
_LIKE_ELEMENTARY = re.compile(
    r"(?:u?int|bytes)[0-9]*|byte|bool|address|string|function|u?fixed(?:[0-9]+x[0-9]+)?"
)
_FIELD_TYPE = re.compile(r"([^\[\]]{0,64})((?:\[(?:[1-9][0-9]{0,5})?\]){0,32})")
_LENGTH = re.compile(r"\[([0-9]*)\]")


class Member(NamedTuple):
    """One member of a struct: ``type`` as in the document, its base, and its array lengths.

    ``Order[2][]`` has the base ``Order`` and the lengths 2 and None, inner first.
    """

    name: str
    type: str
    base: str
    lengths: tuple[int | None, ...]


Members: TypeAlias = tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Struct:
    """A struct type; its type hash (32 bytes) covers all structs that it contains."""

    name: str
    members: Members
    member_names: frozenset[str]
    type_hash: bytes


def read_structs(types: Mapping[str, Any], primary_type: Any) -> dict[str, Struct]:
    """Parse the ``types`` of a document, without EIP712Domain, into structs by name.

    Raises TypedDataError unless every type is complete, acyclic and reachable from the primary
    type. The standard allows a struct that contains an array of itself; ethers does not, so it is
    rejected. Source: EIP-712, definition of encodeType.
    """
    table = _read_table(types)
    if not isinstance(primary_type, str) or primary_type not in table:
        raise TypedDataError(
            Code.PRIMARY_TYPE_UNKNOWN, "must name one of the types.", "primaryType"
        )
    contained: dict[str, frozenset[str]] = {}
    _collect_contained(primary_type, table, (), contained)
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
    """Parse one type's list of ``{"name", "type"}``; raises TypedDataError."""
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
    """Return a struct; ``encoded_type`` is its definition and those of all structs in it."""
    names = frozenset(member.name for member in members)
    return Struct(name, members, names, keccak256(encoded_type.encode()))


def define(name: str, members: Members) -> str:
    """Return the definition of one struct, as in encodeType, without the structs in it."""
    return f"{name}({','.join(f'{member.type} {member.name}' for member in members)})"


def shown_name(name: str) -> str:
    """Return a name from the document for use in a location; ``?`` if it is ill-formed."""
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
    if _LIKE_ELEMENTARY.fullmatch(name):
        raise TypedDataError(
            Code.TYPE_NAME_INVALID, "is not a valid name of a struct.", _place(name)
        )


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
    """Parse a member's two strings. Valid ones are short, so the cache is bounded."""
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


def _collect_contained(
    name: str,
    table: Mapping[str, Members],
    above: tuple[str, ...],
    contained: dict[str, frozenset[str]],
) -> frozenset[str]:
    """Record in ``contained``, for a struct and all structs in it, which structs each contains."""
    if name in contained:
        return contained[name]
    if name in above:
        raise TypedDataError(Code.TYPE_CYCLIC, "contains itself.", _place(name))
    inner = {member.base for member in table[name]} & table.keys()
    deeper = (_collect_contained(base, table, (*above, name), contained) for base in inner)
    contained[name] = frozenset(inner).union(*deeper)
    return contained[name]


def _require_short(definitions: Mapping[str, str], contained: Mapping[str, frozenset[str]]) -> None:
    """Bound the bytes to hash: a type hash covers the definitions of all types it contains."""
    length = sum(len(definitions[name]) for below in contained.values() for name in below)
    if length > ENCODED_TYPES_LENGTH_MAX:
        reason = (
            f"repeat {length} characters of each other; the maximum is {ENCODED_TYPES_LENGTH_MAX}."
        )
        raise TypedDataError(Code.TOO_MANY_TYPES, reason, "types")


def _joined(definitions: Mapping[str, str], name: str, contained: frozenset[str]) -> str:
    return "".join(definitions[one] for one in (name, *sorted(contained)))


def _place(name: str) -> str:
    return f"types.{name}"
