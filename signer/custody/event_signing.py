"""Ed25519 keys of services: sign events and envelopes, verify the events of others. Pure."""

from collections.abc import Iterable
from contextlib import suppress
from typing import NoReturn

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from schemas.canonical import Canonical, canonical_bytes
from schemas.dsse import Envelope, pae, signed_envelope
from schemas.redaction import redacted, signed_part
from signer.core.errors import InvalidSignatureError
from signer.core.signatures import verify


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
