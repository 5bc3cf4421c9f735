"""Signs the digests of messages, typed data and delegations."""

from typing import Final

from signer.core.ethereum.signing import DigestSigner, sign_digest

V_OFFSET: Final = 27


def sign_message_digest(digest: bytes, key: DigestSigner, address: bytes) -> bytes:
    """Sign the digest of a message, typed data or a delegation: r (32 bytes), s (32), v (27 or 28).

    Raises SenderMismatchError or SignatureError as `sign_digest` does, and returns no signature.
    Source: the form that eth_sign and ecrecover use, Yellow Paper appendix F.
    """
    signature = sign_digest(digest, key, address)
    return signature[:64] + bytes([signature[64] + V_OFFSET])
