"""Strict decoding of EIP-2718 transactions: what does not re-encode to itself is refused."""

from signer.ethereum.errors import SignatureError, TransactionDecodingError
from signer.ethereum.fields import UINT
from signer.ethereum.keccak import keccak256
from signer.ethereum.rlp_codec import RlpItem, decode_item
from signer.ethereum.signature import recover_address
from signer.ethereum.transaction import (
    MAX_TRANSACTION_BYTES,
    TYPE_OF_PREFIX,
    FeeMarketTransaction,
    TransactionType,
    attach_signature,
    unsigned_bytes,
)

_SIGNATURE_ITEMS = 3


def decode_unsigned(raw: bytes) -> FeeMarketTransaction:
    """Read the transaction back from the bytes that are signed.

    Raises TransactionDecodingError, with the place, for everything but canonical bytes.
    """
    row, items = _read_items(raw, signature_items=0)
    tx = _read_fields(row, items)
    _require_canonical(raw, unsigned_bytes(tx))
    return tx


def decode_signed(raw: bytes) -> tuple[FeeMarketTransaction, bytes]:
    """Read a signed transaction back into its fields and its 65-byte signature.

    Raises TransactionDecodingError for everything but canonical bytes and SignatureError for
    a signature that `check_signature` refuses. Does not recover the sender.
    """
    tx, _, signature = _read_signed(raw)
    return tx, signature


def sender(raw: bytes) -> bytes:
    """Recover the 20-byte address that signed ``raw``.

    Raises as `decode_signed`, and SignatureError if no key can have made the signature.
    """
    _, unsigned, signature = _read_signed(raw)
    return recover_address(keccak256(unsigned), signature)


def _read_signed(raw: bytes) -> tuple[FeeMarketTransaction, bytes, bytes]:
    row, items = _read_items(raw, signature_items=_SIGNATURE_ITEMS)
    tx = _read_fields(row, items[:-_SIGNATURE_ITEMS])
    signature = _read_signature(items[-_SIGNATURE_ITEMS:])
    unsigned = unsigned_bytes(tx)
    _require_canonical(raw, attach_signature(unsigned, signature))
    return tx, unsigned, signature


def _read_items(raw: bytes, signature_items: int) -> tuple[TransactionType, list[RlpItem]]:
    if len(raw) > MAX_TRANSACTION_BYTES:
        raise TransactionDecodingError("transaction", f"is over {MAX_TRANSACTION_BYTES} bytes.")
    row = TYPE_OF_PREFIX.get(raw[:1])
    if row is None:
        raise TransactionDecodingError("type", "byte is not that of a known transaction type.")
    items = decode_item(raw[1:])
    expected = len(row.fields) + signature_items
    if not isinstance(items, list) or len(items) != expected:
        raise TransactionDecodingError("transaction", f"must be a list of {expected} items.")
    return row, items


def _read_fields(row: TransactionType, items: list[RlpItem]) -> FeeMarketTransaction:
    pairs = zip(row.fields, items, strict=True)
    return row.record(*[codec.decode(item, name) for (name, codec), item in pairs])


def _read_signature(items: list[RlpItem]) -> bytes:
    y_parity = UINT.decode(items[0], "signature.y_parity")
    if y_parity > 1:
        raise SignatureError("signature.y_parity", "must be 0 or 1.")
    r, s = UINT.decode(items[1], "signature.r"), UINT.decode(items[2], "signature.s")
    return b"".join((r.to_bytes(32, "big"), s.to_bytes(32, "big"), y_parity.to_bytes(1, "big")))


def _require_canonical(raw: bytes, encoded_again: bytes) -> None:
    # The last word over every leniency of ours or of the RLP library, known or not.
    if encoded_again != raw:
        raise TransactionDecodingError("transaction", "does not re-encode to the same bytes.")
