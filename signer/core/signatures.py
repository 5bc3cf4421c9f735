"""Ed25519 signatures (RFC 8032): verification, and of envelopes."""

from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from schemas.canonical import MalformedError
from schemas.dsse import Envelope
from signer.core.errors import InvalidSignatureError

CACHED_BYTES_MAX = 8 * 1024


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
        _public_key(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(maxsize=4096)
def _public_key(public_key: str) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key[2:]))


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
