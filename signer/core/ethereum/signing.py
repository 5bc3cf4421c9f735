"""Signs transactions and digests, and verifies every signature it makes."""

from dataclasses import dataclass
from typing import Protocol

from signer.core.ethereum.encoding import encode, transaction_hash
from signer.core.ethereum.errors import SenderMismatchError
from signer.core.ethereum.signature import recover_address
from signer.core.ethereum.transaction import Transaction


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


def sign_transaction(tx: Transaction, key: DigestSigner, address: bytes) -> SignedTransaction:
    """Sign a transaction that passed `first_problem`, and verify that ``address`` is its sender.

    Raises SenderMismatchError, SignatureError or TransactionEncodingError, and returns no signed
    transaction.
    """
    encoding = encode(tx)
    raw = encoding.signed(sign_digest(encoding.signing_hash(), key, address))
    return SignedTransaction(raw, transaction_hash(raw), address)


def sign_digest(digest: bytes, key: DigestSigner, address: bytes) -> bytes:
    """Sign a digest, and verify by recovery that ``address`` signed it.

    So neither a wrong key nor a fault during signing can return valid-looking bytes.
    """
    signature = key.sign(digest)
    recovered = recover_address(digest, signature)
    if recovered != address:
        raise SenderMismatchError(
            "sender",
            f"recovers to 0x{recovered.hex()}, not to 0x{address.hex()}: "
            "the key is wrong or signing failed; nothing was signed for this account.",
        )
    return signature
