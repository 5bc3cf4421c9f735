"""EIP-712 domains: validation and the domain separator."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from signer.core.ethereum.typed_data.encoding import Encoder
from signer.core.ethereum.typed_data.errors import Code, TypedDataError
from signer.core.ethereum.typed_data.structs import (
    Member,
    Struct,
    define,
    make_struct,
    read_members,
)

DOMAIN_TYPE: Final = "EIP712Domain"

_MEMBERS: Final = tuple(
    Member(name, field_type, field_type, ())
    for name, field_type in (
        ("name", "string"),
        ("version", "string"),
        ("chainId", "uint256"),
        ("verifyingContract", "address"),
        ("salt", "bytes32"),
    )
)
_ENCODER: Final = Encoder({})


@dataclass(frozen=True, slots=True)
class Domain:
    """The present fields of a domain, and its separator (32 bytes).

    ``verifying_contract`` and ``salt`` are lower-case 0x hex. ``one_chain`` is whether ``chainId``,
    or a salt equal to the chain id, makes the separator differ on every chain.
    """

    name: str | None
    version: str | None
    chain_id: int | None
    verifying_contract: str | None
    salt: str | None
    one_chain: bool
    separator: bytes


def read_domain(value: Any, types: Mapping[str, Any], chain_id: int) -> Domain:
    """Parse a domain for ``chain_id``; ``types`` are the document's.

    The type is derived from the present fields, in the standard's order. Raises TypedDataError for
    another chain, and if EIP712Domain among the types differs from the derived type, because
    libraries then hash different bytes. Source: EIP-712, definition of domainSeparator.
    """
    if not isinstance(value, dict):
        raise TypedDataError(Code.OBJECT_EXPECTED, "must be an object.", "domain")
    struct, derived = _derive(tuple(member.name in value for member in _MEMBERS))
    if types.get(DOMAIN_TYPE, derived) != derived:
        raise _mismatch(types[DOMAIN_TYPE])
    try:
        separator = _ENCODER.hash_struct(struct, value)
    except TypedDataError as error:
        raise error.within("domain") from None
    domain = _domain(value, chain_id, separator)
    if domain.chain_id not in (None, chain_id):
        reason = f"must be {chain_id}, the chain that the signature is for."
        raise TypedDataError(Code.CHAIN_MISMATCH, reason, "domain.chainId")
    return domain


@lru_cache(maxsize=32)
def _derive(present: tuple[bool, ...]) -> tuple[Struct, list[dict[str, str]]]:
    """Return the domain's type as a struct, and in the form of a document's ``types``."""
    pairs = zip(_MEMBERS, present, strict=True)
    members = tuple(member for member, there in pairs if there)
    definition = [{"name": member.name, "type": member.type} for member in members]
    return make_struct(DOMAIN_TYPE, members, define(DOMAIN_TYPE, members)), definition


def _mismatch(definition: Any) -> TypedDataError:
    """Return the error of a definition that differs from the derived one."""
    location = f"types.{DOMAIN_TYPE}"
    try:
        read_members(definition)
    except TypedDataError as error:
        return error.within(location)
    reason = "must list exactly the fields that the domain has, in the standard's order."
    return TypedDataError(Code.DOMAIN_TYPE_MISMATCH, reason, location)


def _domain(value: dict[str, Any], for_chain_id: int, separator: bytes) -> Domain:
    """Normalise the values; encoding has already validated them."""
    chain_id = value.get("chainId")
    contract, salt = value.get("verifyingContract"), value.get("salt")
    salted = salt is not None and int(salt, 16) == for_chain_id
    return Domain(
        name=value.get("name"),
        version=value.get("version"),
        chain_id=int(chain_id, 0) if isinstance(chain_id, str) else chain_id,
        verifying_contract=contract and contract.lower(),
        salt=salt and salt.lower(),
        one_chain=chain_id is not None or salted,
        separator=separator,
    )
