"""Key generation and public keys on both curves."""

from schemas.registry.key_chains import Curve
from signer.custody import ed25519, secp256k1
from signer.custody.buffers import RandomBytes
from signer.custody.errors import CorruptError
from signer.custody.generate import new_ed25519_secret, new_secp256k1_secret


def new_secret(curve: Curve, random_bytes: RandomBytes) -> bytearray:
    """Draw a secret key, 32 bytes, which the caller wipes; raise ``RandomnessError``."""
    if curve is Curve.SECP256K1:
        return new_secp256k1_secret(random_bytes)
    return new_ed25519_secret(random_bytes)


def public_key(curve: Curve, secret: bytearray) -> bytes:
    """Return a secret's public key: a point of 65 bytes (SEC 1), or 32 bytes (RFC 8032).

    Raises ``CorruptError`` for bytes that are not a key of the curve.
    """
    try:
        if curve is Curve.SECP256K1:
            return secp256k1.public_key(secp256k1.point_at(secret))
        return ed25519.public_key(secret)
    except ValueError:
        raise CorruptError(f"A secret is not a {curve} key; check which path was opened.") from None
