"""Strict Ed25519 verification (docs/format.md); the library is loaded only if a key is given."""

from typing import Any

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
_Y_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
SMALL_ORDER_Y = frozenset({0, 1, P - 1, _Y_ORDER_8, P - _Y_ORDER_8})


def is_strong(point: bytes) -> bool:
    """Tell whether 32 bytes encode a point canonically, and none of the eight of small order."""
    y = int.from_bytes(point, "little") & (2**255 - 1)
    return y < P and y not in SMALL_ORDER_Y


def public_key(raw: bytes) -> Any:
    """Return the public key made of 32 raw bytes; None for a weak key, which verifies nothing."""
    if not is_strong(raw):
        return None
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 - loaded on use

    return ed25519.Ed25519PublicKey.from_public_bytes(raw)


def verifies(key: Any, signature: bytes, signed: bytes) -> bool:
    """Tell whether ``signature`` is valid for the key and the signed bytes."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - loaded on use

    if key is None or not is_strong(signature[:32]):
        return False
    if int.from_bytes(signature[32:], "little") >= L:
        return False
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
