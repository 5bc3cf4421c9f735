"""Key generation and public keys on both curves."""

from schemas.keys.curves import Curve
from signer.custody import ed25519, secp256k1
from signer.custody.buffers import RandomBytes, draw
from signer.custody.errors import CorruptError, RandomnessError


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


DRAWS_MAX = 4


def new_secp256k1_secret(random_bytes: RandomBytes) -> bytearray:
    """Draw a secp256k1 secret key, 32 bytes, uniform from 1 to n - 1; the caller wipes it.

    A value that is 0 or not below n is drawn again, never reduced, so that all keys are equally
    likely (FIPS 186-5, A.2.2). A good source needs a second draw once in 2^127 keys; after
    ``DRAWS_MAX`` draws the source must be broken, and ``RandomnessError`` is raised.
    """
    for _ in range(DRAWS_MAX):
        secret = draw(random_bytes, secp256k1.SECRET_BYTES)
        if secp256k1.is_secret(secp256k1.point_at(secret)):
            return secret
    raise RandomnessError(
        f"The source of randomness returned no valid key in {DRAWS_MAX} draws, which is not "
        "chance: repair it."
    )


def new_ed25519_secret(random_bytes: RandomBytes) -> bytearray:
    """Draw an Ed25519 secret key, 32 bytes, which the caller wipes.

    Any 32 bytes are a key (RFC 8032, 5.1.5). All zeros are not chance but a broken source, and
    raise ``RandomnessError``.
    """
    secret = draw(random_bytes, ed25519.SECRET_BYTES)
    if not any(secret):
        raise RandomnessError("The source of randomness returned only zeros: repair it.")
    return secret
