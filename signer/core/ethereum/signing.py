"""Signs transactions and digests, and verifies every signature it makes."""

from dataclasses import dataclass
from typing import Final, Protocol

from signer.core.errors import SenderMismatchError, TransactionEncodingError
from signer.core.ethereum.encoding import transaction_hash
from signer.core.ethereum.signature import check_digest, recover_address
from signer.core.ethereum.validation import ValidTransaction

V_OFFSET: Final = 27


class DigestSigner(Protocol):
    """Signs 32-byte digests with one secp256k1 key that never leaves the object."""

    def sign(self, digest32: bytes, /) -> bytes:
        """Return r (32 bytes), s (32, low), y parity (1); deterministic (RFC 6979)."""
        ...


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """Signed bytes ready to broadcast, their 32-byte hash and the 20-byte sender."""

    raw: bytes
    hash: bytes
    sender: bytes


def sign_transaction(tx: ValidTransaction, key: DigestSigner, address: bytes) -> SignedTransaction:
    """Sign a transaction that passed the protocol's checks; verify that ``address`` is its sender.

    Raises SenderMismatchError, SignatureError, or TransactionEncodingError for anything but a
    `ValidTransaction`, and returns no signed transaction.
    """
    # Not isinstance: a subclass could skip the checks.
    if type(tx) is not ValidTransaction:
        raise TransactionEncodingError("transaction", "must be a ValidTransaction.")
    signature = sign_digest(tx.encoding.signing_hash(), key, address)
    raw = tx.encoding.signed(signature)
    return SignedTransaction(raw, transaction_hash(raw), address)


def sign_message_digest(digest: bytes, key: DigestSigner, address: bytes) -> bytes:
    """Sign the digest of a message, typed data or a delegation: r (32 bytes), s (32), v (27 or 28).

    Raises as `sign_digest` does, and returns no signature.
    Source: the form that eth_sign and ecrecover use, Yellow Paper appendix F.
    """
    signature = sign_digest(digest, key, address)
    return signature[:64] + bytes([signature[64] + V_OFFSET])


def sign_digest(digest: bytes, key: DigestSigner, address: bytes) -> bytes:
    """Sign a digest, and verify by recovery that ``address`` signed it.

    So neither a wrong key nor a fault during signing can return valid-looking bytes. Raises
    SenderMismatchError or SignatureError.
    """
    # Before the key is used: a key handle may accept more than 32 bytes.
    check_digest(digest)
    if not isinstance(address, bytes):
        raise SenderMismatchError("sender", "must be bytes.")
    signature = key.sign(digest)
    recovered = recover_address(digest, signature)
    if recovered != address:
        raise SenderMismatchError(
            "sender",
            f"recovers to 0x{recovered.hex()}, not to 0x{address.hex()}: "
            "the key is wrong or signing failed; nothing was signed for this account.",
        )
    return signature
