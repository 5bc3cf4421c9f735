"""EIP-712 documents in the JSON form of wallets: strict parsing and the digest to sign."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from schemas.strict_json import JsonError, Path, read_json
from signer.core.ethereum.keccak import keccak256
from signer.core.ethereum.typed_data.domain import DOMAIN_TYPE, Domain, read_domain
from signer.core.ethereum.typed_data.encoding import Encoder
from signer.core.ethereum.typed_data.errors import Code, TypedDataError
from signer.core.ethereum.typed_data.structs import Struct, read_structs, shown_name

DOCUMENT_BYTES_MAX: Final = 128 * 1024
_PARTS: Final = ("types", "primaryType", "domain", "message")
_PREFIX: Final = b"\x19\x01"  # EIP-191, version 0x01


@dataclass(frozen=True, slots=True)
class TypedData:
    """A valid document: its domain, the structs of its message, and the digest to sign."""

    domain: Domain
    primary_type: str
    structs: Mapping[str, Struct]
    message: Mapping[str, Any]
    digest: bytes


def read_typed_data(document: str, chain_id: int) -> TypedData:
    """Parse a document of ``types``, ``primaryType``, ``domain`` and ``message``, and hash it.

    ``document`` is JSON text; ``chain_id`` is the chain that the signature is for. Raises
    TypedDataError, with a code and the location, unless the message is exactly one value of exactly
    these types. Source: EIP-712.
    """
    parts = _read_parts(document)
    types = parts["types"]
    if not isinstance(types, dict):
        raise TypedDataError(Code.OBJECT_EXPECTED, "must be an object.", "types")
    own = {name: definition for name, definition in types.items() if name != DOMAIN_TYPE}
    structs = read_structs(own, parts["primaryType"])
    domain = read_domain(parts["domain"], types, chain_id)
    primary = structs[parts["primaryType"]]
    try:
        struct_hash = Encoder(structs).hash_struct(primary, parts["message"])
    except TypedDataError as error:
        raise error.within("message") from None
    digest = keccak256(_PREFIX + domain.separator + struct_hash)
    return TypedData(domain, primary.name, structs, parts["message"], digest)


def _read_parts(document: str) -> dict[str, Any]:
    try:
        tree = read_json(_bytes(document))
    except JsonError as error:
        code = Code.KEY_REPEATED if error.repeated else Code.NOT_JSON
        raise TypedDataError(code, _sentence(error), _place(error.repeated)) from None
    if not isinstance(tree, dict):
        raise TypedDataError(Code.OBJECT_EXPECTED, "must be an object.", "document")
    for name in _PARTS:
        if name not in tree:
            raise TypedDataError(Code.MEMBER_MISSING, "is missing.", name)
    for name in tree:
        if name not in _PARTS:
            raise TypedDataError(
                Code.MEMBER_UNKNOWN, "is not a part of typed data.", shown_name(name)
            )
    return tree


def _bytes(document: str) -> bytes:
    raw = document.encode(errors="surrogatepass")
    if len(raw) > DOCUMENT_BYTES_MAX:
        reason = f"is over {DOCUMENT_BYTES_MAX} bytes of JSON."
        raise TypedDataError(Code.DOCUMENT_TOO_LARGE, reason, "document")
    return raw


def _sentence(error: JsonError) -> str:
    return "occurs twice in one object." if error.repeated else f"{error}".rstrip(".") + "."


def _place(repeated: Path | None) -> str:
    """Format a path as a location (``message.to[0]``)."""
    location = "document" if repeated is None else ""
    for step in repeated or ():
        location += f"[{step}]" if isinstance(step, int) else f".{shown_name(step)}"
    return location.removeprefix(".")
