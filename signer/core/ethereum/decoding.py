"""Strict decoding of signed transactions: bytes must re-encode to themselves."""

from typing import Any, Final

from signer.core.ethereum.encoding import (
    EIP155_CHAIN_IDS,
    EIP155_V_BASE,
    LEGACY,
    TRANSACTION_TYPES,
    Encoding,
    TransactionFormat,
    encode_values,
)
from signer.core.ethereum.errors import SignatureError, TransactionDecodingError
from signer.core.ethereum.fields import UINT
from signer.core.ethereum.rlp_codec import RlpItem, decode_item
from signer.core.ethereum.signature import recover_address
from signer.core.ethereum.transaction import MAX_TRANSACTION_BYTES, Transaction

_SIGNATURE_ITEMS: Final = 3
_LIST_TAG: Final = b"\xc0"
_TYPE_OF_PREFIX: Final = {bytes((row.number,)): row for row in TRANSACTION_TYPES[1:]}
_UNPROTECTED_V: Final = (27, 28)
_Y_PARITY: Final = (b"\x00", b"\x01")


def decode_signed(raw: bytes) -> tuple[Transaction, bytes]:
    """Decode a signed transaction into its fields and its 65-byte signature.

    Raises TransactionDecodingError for bytes that are not canonical and for a legacy transaction
    without a chain id, SignatureError as `check_signature` does. Does not recover the sender.
    """
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
    fields = zip(row.fields, items, strict=False)  # all items but the signature's
    values = [read(item, name) for (name, (_, read)), item in fields]
    if row is LEGACY:
        chain_id, y_parity = _read_v(v)
        values.append(chain_id)
    else:
        y_parity = UINT.decode(v, "signature.y_parity")
    signature = _join_signature(r, s, y_parity)
    encoding = encode_values(row, values)
    # Final check: catches any leniency in this code or in the RLP library.
    if encoding.signed(signature) != raw:
        raise TransactionDecodingError("transaction", "does not re-encode to the same bytes.")
    return row, values, encoding, signature


def _read_items(raw: bytes) -> tuple[TransactionFormat, list[RlpItem]]:
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
    v = UINT.decode(item, "signature.v")
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
    scalar: int = UINT.decode(item, location)
    return scalar.to_bytes(32, "big")
