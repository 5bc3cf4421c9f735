"""Ed25519 signatures (RFC 8032) of envelopes and events."""

from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from typing import NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from schemas.canonical import Canonical, MalformedError, canonical_bytes
from schemas.dsse import Envelope, pae, signed_envelope
from schemas.redaction import redacted, signed_part

CACHED_BYTES_MAX = 8 * 1024


class InvalidSignatureError(Exception):
    """The signature is not valid for these bytes and this key."""


class Ed25519Signer:
    """A named Ed25519 key; it signs and gives its public key, but never the private one."""

    __slots__ = ("_private", "keyid", "public_key")

    def __init__(self, keyid: str, seed: bytes | memoryview) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.keyid = keyid
        self.public_key = (
            "0x" + self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
        )

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied, so that the key stays in this object."""
        raise TypeError("a signing key cannot be copied or serialised")

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature over ``message``."""
        return self._private.sign(message)

    def sign_envelope(self, payload_type: str, body: bytes) -> Envelope:
        """Return ``body`` in an envelope signed by this key."""
        return signed_envelope(payload_type, body, self.keyid, self.sign(pae(payload_type, body)))

    def sign_event(self, event: Canonical) -> bytes:
        """Return the event's canonical bytes with its ``signature`` over the redacted form."""
        content = event.plain()
        signature = self.sign(signed_part(redacted(content)))
        return canonical_bytes(content | {"signature": f"0x{signature.hex()}"})


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


def verify_event_of_any(event: Canonical, public_keys: Iterable[str]) -> None:
    """Raise ``InvalidSignatureError`` unless one of several keys signed the event."""
    for public_key in public_keys:
        with suppress(InvalidSignatureError):
            return verify_event(event, public_key)
    raise InvalidSignatureError("no key that may sign this made the signature")


def verify_event(event: Canonical, public_key: str) -> None:
    """Raise ``InvalidSignatureError`` unless the event carries ``public_key``'s signature."""
    content = event.plain()
    signature = bytes.fromhex(str(content.get("signature", "0x"))[2:])
    verify(public_key, signature, signed_part(redacted(content)))
