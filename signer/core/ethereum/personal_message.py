"""The digest of personal_sign messages (EIP-191)."""

from typing import Final

from signer.core.ethereum.keccak import keccak256

_PREFIX: Final = b"\x19Ethereum Signed Message:\n"


def personal_message_hash(message: bytes) -> bytes:
    """Return the 32-byte digest that personal_sign signs for ``message``.

    Its length is hashed as decimal digits. Source: EIP-191, version 0x45.
    """
    return keccak256(_PREFIX + str(len(message)).encode() + message)
