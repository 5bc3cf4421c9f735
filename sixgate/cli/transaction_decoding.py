"""Strict decoding of signed transactions: bytes must re-encode to themselves."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from signer.core.errors import SignatureError, TransactionDecodingError
from signer.core.ethereum import fields
from signer.core.ethereum.address import ADDRESS_BYTES
from signer.core.ethereum.authorization import (
    Authorization,
    AuthorizationList,
    SignedAuthorization,
    authorization_list,
)
from signer.core.ethereum.encoding import (
    EIP155_CHAIN_IDS,
    EIP155_V_BASE,
    LEGACY,
    TRANSACTION_TYPES,
    Encoding,
    TransactionFormat,
    encode_values,
)
from signer.core.ethereum.fields import HASH_BYTES, AccessList, FieldEncoder
from signer.core.ethereum.rlp_codec import RlpItem, decode_item
from signer.core.ethereum.signature import recover_address
from signer.core.ethereum.transaction import MAX_TRANSACTION_BYTES, Transaction

Decoder: TypeAlias = Callable[[RlpItem, str], Any]

_SIGNATURE_ITEMS: Final = 3
_UINT256_BYTES: Final = 32
_ACCESS_ENTRY_ITEMS: Final = 2
_AUTHORIZATION_ITEMS: Final = 6
_Y_PARITY_MAX: Final = 0xFF
_LIST_TAG: Final = b"\xc0"
_TYPE_OF_PREFIX: Final = {bytes((row.number,)): row for row in TRANSACTION_TYPES[1:]}
_UNPROTECTED_V: Final = (27, 28)
_Y_PARITY: Final = (b"\x00", b"\x01")


def decode_signed(raw: bytes, chain_id: int) -> tuple[Transaction, bytes]:
    """Decode a signed transaction of one chain into its fields and its 65-byte signature.

    Raises TransactionDecodingError for bytes that are not canonical, for another chain and for a
    legacy transaction without a chain id, SignatureError as `check_signature` does. Does not
    recover the sender.
    """
    tx, signature = decode_of_any_chain(raw)
    # The same bytes are another transaction for another chain's reader.
    if tx.chain_id != chain_id:
        raise TransactionDecodingError("chain_id", f"is {tx.chain_id}; {chain_id} is expected.")
    return tx, signature


def decode_of_any_chain(raw: bytes) -> tuple[Transaction, bytes]:
    """Decode as `decode_signed` does, for a reader who asks which chain it is."""
    row, values, _, signature = _read(raw)
    return row.record(*values), signature


def sender(raw: bytes) -> bytes:
    """Recover the 20-byte address that signed ``raw``.

    Raises as `decode_signed` does, and SignatureError if the signature recovers to no key.
    """
    _, _, encoding, signature = _read(raw)
    return recover_address(encoding.signing_hash(), signature)


def _read(raw: bytes) -> tuple[TransactionFormat, list[Any], Encoding, bytes]:
    row, items = _read_items(raw)
    *_, v, r, s = items
    named = zip(row.fields, items, strict=False)  # all items but the signature's
    values = [_DECODERS[write](item, name) for (name, write), item in named]
    if row is LEGACY:
        chain_id, y_parity = _read_v(v)
        values.append(chain_id)
    else:
        y_parity = _decode_uint(v, "signature.y_parity")
    signature = _join_signature(r, s, y_parity)
    encoding = encode_values(row, values)
    # Final check: catches any leniency in this code or in the RLP library.
    if encoding.signed(signature) != raw:
        raise TransactionDecodingError("transaction", "does not re-encode to the same bytes.")
    return row, values, encoding, signature


def _read_items(raw: bytes) -> tuple[TransactionFormat, list[RlpItem]]:
    if not isinstance(raw, bytes):
        raise TransactionDecodingError("transaction", "must be bytes.")
    if len(raw) > MAX_TRANSACTION_BYTES:
        raise TransactionDecodingError("transaction", f"is over {MAX_TRANSACTION_BYTES} bytes.")
    prefix = raw[:1]
    legacy = prefix >= _LIST_TAG
    row = LEGACY if legacy else _TYPE_OF_PREFIX.get(prefix)
    if row is None:
        raise TransactionDecodingError("type", "byte is not a known transaction type.")
    items = decode_item(raw if legacy else raw[1:])
    expected = len(row.fields) + _SIGNATURE_ITEMS
    if not isinstance(items, list) or len(items) != expected:
        raise TransactionDecodingError("transaction", f"must be a list of {expected} items.")
    return row, items


def _read_v(item: RlpItem) -> tuple[int, int]:
    v = _decode_uint(item, "signature.v")
    if v in _UNPROTECTED_V:
        reason = "has no chain id: the transaction could be replayed on every chain."
        raise TransactionDecodingError("signature.v", reason)
    chain_id, y_parity = divmod(v - EIP155_V_BASE, 2)
    if chain_id not in EIP155_CHAIN_IDS:
        reason = "must be 35 + 2 * chain id + y parity, for a chain id of at least 1 (EIP-155)."
        raise TransactionDecodingError("signature.v", reason)
    return chain_id, y_parity


def _join_signature(r: RlpItem, s: RlpItem, y_parity: int) -> bytes:
    if y_parity > 1:
        raise SignatureError("signature.y_parity", "must be 0 or 1.")
    scalars = _scalar(r, "signature.r") + _scalar(s, "signature.s")
    return scalars + _Y_PARITY[y_parity]


def _scalar(item: RlpItem, location: str) -> bytes:
    return _decode_uint(item, location).to_bytes(32, "big")


def _require_list(item: RlpItem, location: str) -> list[RlpItem]:
    """Return the item if it is a list; raise TransactionDecodingError otherwise."""
    if not isinstance(item, list):
        raise TransactionDecodingError(location, "is bytes; it must be a list.")
    return item


def _decode_uint(item: RlpItem, location: str) -> int:
    if isinstance(item, bytes) and len(item) <= _UINT256_BYTES and item[:1] != b"\x00":
        return int.from_bytes(item, "big")
    content = _decode_bytes(item, location)
    fault = "a leading zero byte" if content[0] == 0 else f"more than {_UINT256_BYTES} bytes"
    raise TransactionDecodingError(location, f"is an integer with {fault}.")


def _decode_bytes(item: RlpItem, location: str) -> bytes:
    if not isinstance(item, bytes):
        raise TransactionDecodingError(location, "is a list; it must be bytes.")
    return item


def _decode_address(item: RlpItem, location: str) -> bytes:
    return _decode_exactly(ADDRESS_BYTES, item, location)


def _decode_recipient(item: RlpItem, location: str) -> bytes | None:
    return None if item == b"" else _decode_exactly(ADDRESS_BYTES, item, location)


def _decode_exactly(length: int, item: RlpItem, location: str) -> bytes:
    content = _decode_bytes(item, location)
    if len(content) != length:
        raise TransactionDecodingError(location, f"is {len(content)} bytes; it needs {length}.")
    return content


def _decode_hashes(item: RlpItem, location: str) -> tuple[bytes, ...]:
    hashes = enumerate(_require_list(item, location))
    return tuple([_decode_exactly(HASH_BYTES, one, f"{location}[{n}]") for n, one in hashes])


def _decode_access_list(item: RlpItem, location: str) -> AccessList:
    entries = enumerate(_require_list(item, location))
    return tuple([_decode_access_entry(entry, f"{location}[{n}]") for n, entry in entries])


def _decode_access_entry(item: RlpItem, location: str) -> tuple[bytes, tuple[bytes, ...]]:
    parts = _require_list(item, location)
    if len(parts) != _ACCESS_ENTRY_ITEMS:
        raise TransactionDecodingError(location, f"has {len(parts)} items; it needs two.")
    address = _decode_address(parts[0], f"{location}.address")
    return address, _decode_hashes(parts[1], f"{location}.storage_keys")


def _decode_authorization(item: RlpItem, location: str) -> SignedAuthorization:
    items = _require_list(item, location)
    if len(items) != _AUTHORIZATION_ITEMS:
        raise TransactionDecodingError(
            location, f"has {len(items)} items; it needs {_AUTHORIZATION_ITEMS}."
        )
    authorization = Authorization(
        chain_id=_decode_uint(items[0], f"{location}.chain_id"),
        address=_decode_address(items[1], f"{location}.address"),
        nonce=_decode_uint(items[2], f"{location}.nonce"),
    )
    return SignedAuthorization(
        authorization, _decode_authorization_signature(items[3:], f"{location}.signature")
    )


def _decode_authorization_signature(items: list[RlpItem], location: str) -> bytes:
    y_parity, r, s = [
        _decode_uint(item, f"{location}.{part}")
        for item, part in zip(items, ("y_parity", "r", "s"), strict=True)
    ]
    if y_parity > _Y_PARITY_MAX:
        raise TransactionDecodingError(f"{location}.y_parity", "is over one byte (EIP-7702).")
    return b"".join((r.to_bytes(32, "big"), s.to_bytes(32, "big"), y_parity.to_bytes(1, "big")))


def _decode_authorization_list(item: RlpItem, location: str) -> AuthorizationList:
    entries = enumerate(_require_list(item, location))
    return tuple([_decode_authorization(one, f"{location}[{n}]") for n, one in entries])


# The decoder of each encoder, so that every field of the table has both.
_DECODERS: Final[dict[FieldEncoder, Decoder]] = {
    fields.uint: _decode_uint,
    fields.byte_string: _decode_bytes,
    fields.address: _decode_address,
    fields.recipient: _decode_recipient,
    fields.hashes: _decode_hashes,
    fields.access_list: _decode_access_list,
    authorization_list: _decode_authorization_list,
}
