"""Ed25519 verification; the library is loaded only if a key is given."""

from typing import Any


def public_key(raw: bytes) -> Any:
    """Return the public key made of 32 raw bytes."""
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 - loaded on use

    return ed25519.Ed25519PublicKey.from_public_bytes(raw)


def verifies(key: Any, signature: bytes, signed: bytes) -> bool:
    """Tell whether ``signature`` is valid for the key and the signed bytes."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - loaded on use

    try:
        key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def unhex(text: str) -> bytes:
    """Return the bytes of 0x hex; empty bytes for anything else."""
    try:
        return bytes.fromhex(text[2:]) if text.startswith("0x") else b""
    except ValueError:
        return b""
