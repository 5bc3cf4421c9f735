"""Signs pinned outcomes, with the same bytes every time (RFC 6979)."""

from typing import Any

from schemas.intents.outcome import MessageSigned, TransactionSigned
from signer.core.ethereum.signing import DigestSigner, sign_message_digest, sign_transaction
from signer.core.ethereum.validation import ValidTransaction
from signer.core.transactions import transaction_of


def signed(
    draft: TransactionSigned | MessageSigned, key: DigestSigner
) -> TransactionSigned | MessageSigned:
    """Return the outcome with a signature that was verified to be its sender's.

    The signature of a message is r, s and v (27 or 28), as wallets return it. Raises the errors of
    ``ValidTransaction`` and ``sign_transaction``; then there is no signature.
    """
    sender = bytes.fromhex(draft.sender[2:])
    if isinstance(draft, TransactionSigned):
        return draft.model_copy(update=_transaction(draft, key, sender))
    return draft.model_copy(update=_message(draft, key, sender))


def _transaction(draft: TransactionSigned, key: DigestSigner, sender: bytes) -> dict[str, Any]:
    made = sign_transaction(ValidTransaction(transaction_of(draft)), key, sender)
    return {"raw_transaction": f"0x{made.raw.hex()}", "transaction_hash": f"0x{made.hash.hex()}"}


def _message(draft: MessageSigned, key: DigestSigner, sender: bytes) -> dict[str, Any]:
    signature = sign_message_digest(bytes.fromhex(draft.signed_digest[2:]), key, sender)
    return {"message_signature": f"0x{signature.hex()}"}
