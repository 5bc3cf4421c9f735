"""EIP-7702 authorizations: an account delegates to the code at another address."""

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from signer.core.errors import TransactionEncodingError
from signer.core.ethereum import fields
from signer.core.ethereum.keccak import keccak256
from signer.core.ethereum.rlp_codec import encode_list, encode_uint
from signer.core.ethereum.signature import SIGNATURE_BYTES, recover_address

_MAGIC: Final = b"\x05"


@dataclass(frozen=True, slots=True)
class Authorization:
    """The content that an authority signs: a delegation to ``address`` (20 bytes) on one chain.

    Chain id 0 is every chain. ``nonce`` is the authority's nonce when the delegation is applied.
    """

    chain_id: int
    address: bytes
    nonce: int


@dataclass(frozen=True, slots=True)
class SignedAuthorization:
    """An authorization and its signature: r (32 bytes), s (32), y parity (1).

    The signature may be invalid: a chain skips such an entry, `first_problem` rejects it.
    """

    authorization: Authorization
    signature: bytes


AuthorizationList: TypeAlias = tuple[SignedAuthorization, ...]


def authorization_hash(authorization: Authorization) -> bytes:
    """Return the 32-byte digest that the authority signs.

    Raises TransactionEncodingError for a value that has no canonical encoding.
    Source: EIP-7702, ``keccak256(0x05 || rlp([chain_id, address, nonce]))``.
    """
    return keccak256(_MAGIC + encode_list(_encode_terms(authorization, "authorization")))


def authority(signed: SignedAuthorization) -> bytes:
    """Recover the 20-byte address of the account that an authorization delegates.

    Raises SignatureError if the signature recovers to no key, or s is high (EIP-2).
    """
    return recover_address(authorization_hash(signed.authorization), signed.signature)


def authorization_list(value: Any, location: str) -> bytes:
    """Encode a tuple of signed authorizations."""
    items = enumerate(fields.entries(value, location))
    return encode_list(b"".join([_encode_signed(one, f"{location}[{n}]") for n, one in items]))


def _encode_terms(terms: Any, location: str) -> bytes:
    if not isinstance(terms, Authorization):
        raise TransactionEncodingError(location, "must be an authorization.")
    return b"".join(
        (
            fields.uint(terms.chain_id, f"{location}.chain_id"),
            fields.address(terms.address, f"{location}.address"),
            fields.uint(terms.nonce, f"{location}.nonce"),
        )
    )


def _encode_signed(signed: Any, location: str) -> bytes:
    if not isinstance(signed, SignedAuthorization):
        raise TransactionEncodingError(location, "must be a signed authorization.")
    terms = _encode_terms(signed.authorization, location)
    signature = signed.signature
    if not isinstance(signature, bytes) or len(signature) != SIGNATURE_BYTES:
        reason = f"must be {SIGNATURE_BYTES} bytes."
        raise TransactionEncodingError(f"{location}.signature", reason)
    scalars = (signature[64:], signature[:32], signature[32:64])
    encoded = [encode_uint(int.from_bytes(scalar, "big")) for scalar in scalars]
    return encode_list(terms + b"".join(encoded))
