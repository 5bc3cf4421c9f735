"""EIP-7702 authorizations: an account delegates to the code at another address."""

from dataclasses import dataclass
from typing import Final, TypeAlias

from signer.core.ethereum.errors import TransactionDecodingError, TransactionEncodingError
from signer.core.ethereum.fields import ADDRESS, UINT, FieldCodec, require_list
from signer.core.ethereum.keccak import keccak256
from signer.core.ethereum.rlp_codec import RlpItem, encode_list, encode_uint
from signer.core.ethereum.signature import SIGNATURE_BYTES, recover_address

_MAGIC: Final = b"\x05"
_TUPLE_ITEMS: Final = 6
_Y_PARITY_MAX: Final = 0xFF


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


def _encode_terms(terms: Authorization, location: str) -> bytes:
    return b"".join(
        (
            UINT.encode(terms.chain_id, f"{location}.chain_id"),
            ADDRESS.encode(terms.address, f"{location}.address"),
            UINT.encode(terms.nonce, f"{location}.nonce"),
        )
    )


def _encode_signed(signed: SignedAuthorization, location: str) -> bytes:
    signature = signed.signature
    if len(signature) != SIGNATURE_BYTES:
        reason = f"is {len(signature)} bytes; it needs {SIGNATURE_BYTES}."
        raise TransactionEncodingError(f"{location}.signature", reason)
    scalars = (signature[64:], signature[:32], signature[32:64])
    encoded = [encode_uint(int.from_bytes(scalar, "big")) for scalar in scalars]
    return encode_list(_encode_terms(signed.authorization, location) + b"".join(encoded))


def _decode_signed(item: RlpItem, location: str) -> SignedAuthorization:
    items = require_list(item, location)
    if len(items) != _TUPLE_ITEMS:
        raise TransactionDecodingError(
            location, f"has {len(items)} items; it needs {_TUPLE_ITEMS}."
        )
    authorization = Authorization(
        chain_id=UINT.decode(items[0], f"{location}.chain_id"),
        address=ADDRESS.decode(items[1], f"{location}.address"),
        nonce=UINT.decode(items[2], f"{location}.nonce"),
    )
    return SignedAuthorization(authorization, _decode_signature(items[3:], f"{location}.signature"))


def _decode_signature(items: list[RlpItem], location: str) -> bytes:
    y_parity, r, s = [
        UINT.decode(item, f"{location}.{part}")
        for item, part in zip(items, ("y_parity", "r", "s"), strict=True)
    ]
    if y_parity > _Y_PARITY_MAX:
        raise TransactionDecodingError(f"{location}.y_parity", "is over one byte (EIP-7702).")
    return b"".join((r.to_bytes(32, "big"), s.to_bytes(32, "big"), y_parity.to_bytes(1, "big")))


def _encode_all(value: AuthorizationList, location: str) -> bytes:
    entries = enumerate(value)
    return encode_list(b"".join([_encode_signed(one, f"{location}[{n}]") for n, one in entries]))


def _decode_all(item: RlpItem, location: str) -> AuthorizationList:
    entries = enumerate(require_list(item, location))
    return tuple([_decode_signed(one, f"{location}[{n}]") for n, one in entries])


AUTHORIZATION_LIST = FieldCodec(_encode_all, _decode_all)
