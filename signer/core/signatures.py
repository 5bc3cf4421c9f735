"""Strict verification of Ed25519 signatures (RFC 8032), and of signed envelopes.

OpenSSL accepts keys and R of small order, as RFC 8032 does. A key of small order authenticates no
one: with the identity as key and as R, S = 0 verifies for every message. Strict verification
refuses what libsodium refuses: points of small order, non-canonical encodings and S >= L.
"""

from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from schemas.canonical import MalformedError
from schemas.dsse import Envelope
from signer.core.errors import InvalidSignatureError

CACHED_BYTES_MAX = 8 * 1024
_POINT_BYTES = 32
# The prime of the field and the order of the group (RFC 8032, 5.1).
_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_Y_BITS = 2**255 - 1  # the remaining bit is the sign of x
_Y_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
# The y of all eight points of small order: order 4, 1, 2 and 8. Source: libsodium's
# ge25519_has_small_order, ed25519_ref10.c.
_SMALL_ORDER_Y = frozenset({0, 1, _P - 1, _Y_ORDER_8, _P - _Y_ORDER_8})


def is_strong_key(public_key: str) -> bool:
    """Return whether a public key (0x hex, 32 bytes) can authenticate its holder.

    A key of small order, or in a non-canonical encoding, cannot.
    """
    return _is_strong_point(bytes.fromhex(public_key[2:]))


def verify(public_key: str, signature: bytes, message: bytes) -> None:
    """Raise ``InvalidSignatureError`` unless ``signature_is_valid``."""
    if not signature_is_valid(public_key, signature, message):
        raise InvalidSignatureError("the signature is not valid for this key and these bytes")


def signature_is_valid(public_key: str, signature: bytes, message: bytes) -> bool:
    """Return whether ``public_key`` (0x hex, 32 bytes) made the signature over the message."""
    if len(message) > CACHED_BYTES_MAX:
        return _signature_is_valid.__wrapped__(public_key, signature, message)
    return _signature_is_valid(public_key, signature, message)


# The result depends on exactly these bytes, so caching it is safe. Where gates and signer share a
# process, the signer's own check of an intent is a cache hit.
@lru_cache(maxsize=4096)
def _signature_is_valid(public_key: str, signature: bytes, message: bytes) -> bool:
    try:
        # The key is checked once, when it is loaded; R and S with each signature.
        if not _is_strong_point(signature[:_POINT_BYTES]):
            return False
        if int.from_bytes(signature[_POINT_BYTES:], "little") >= _L:
            return False
        _public_key(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(maxsize=4096)
def _public_key(public_key: str) -> Ed25519PublicKey:
    if not is_strong_key(public_key):
        raise ValueError("the key is of small order, or not encoded canonically")
    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key[2:]))


def _is_strong_point(encoded: bytes) -> bool:
    """Return whether a point is encoded canonically and not of small order.

    Both are properties of y. OpenSSL then checks that the point is on the curve.
    """
    y = int.from_bytes(encoded, "little") & _Y_BITS
    return len(encoded) == _POINT_BYTES and y < _P and y not in _SMALL_ORDER_Y


def open_envelope(envelope: Envelope, payload_type: str, public_key: str) -> bytes:
    """Verify an envelope's signature and return its body.

    Raises ``InvalidSignatureError``, also for an envelope of another type.
    """
    try:
        message = envelope.signed_bytes(payload_type)
    except MalformedError as error:
        raise InvalidSignatureError(str(error)) from None
    verify(public_key, envelope.signature(), message)
    return envelope.body()


def open_envelope_of_any(
    envelope: Envelope, payload_type: str, public_keys: Iterable[str]
) -> bytes:
    """Verify that one of several keys signed an envelope and return its body.

    Raises ``InvalidSignatureError``.
    """
    for public_key in public_keys:
        with suppress(InvalidSignatureError):
            return open_envelope(envelope, payload_type, public_key)
    raise InvalidSignatureError("no key that may sign this made the signature")
