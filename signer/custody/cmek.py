"""The customer's own layer (CMEK) over a value: what the server sees of it, and insists on.

The customer encrypts before the value is sent, under a key that the server never has; the server
knows the key's fingerprint, which is plain SHA-256 of its 32 uniformly random bytes and tells
nothing of them. A value with the layer is ``format || fingerprint || nonce || ciphertext || tag``:
AES-256-GCM, with everything in clear authenticated (``signer.custody.aead``). The server cannot
check the tag; it can refuse a value that has no such layer, or one under a foreign key.
"""

import hashlib
from typing import Annotated

from pydantic import Field

from schemas.canonical import Canonical, canonical_bytes
from schemas.fields import Digest, Ordinal
from signer.custody import aead
from signer.custody.errors import CmekRefusedError

FORMAT = b"\x02"
_FINGERPRINT_BYTES = hashlib.sha256().digest_size
_OVERHEAD_BYTES = len(FORMAT) + _FINGERPRINT_BYTES + aead.NONCE_BYTES + aead.TAG_BYTES
_Label = Annotated[str, Field(min_length=1, max_length=256)]


class CmekContext(Canonical):
    """The version of a secret that a value is, as its layer is authenticated with it."""

    org: _Label
    account: _Label
    vault: _Label
    path: _Label
    version: Ordinal

    def aad(self, fingerprint: str) -> bytes:
        """Return the canonical bytes that are authenticated with the layer under that key."""
        return canonical_bytes(
            {"type": "cmek.layer", "v": 1, "fingerprint": fingerprint, **self.model_dump()}
        )


def fingerprint_of(key: bytes | bytearray) -> str:
    """Return the fingerprint of a customer's key of 32 bytes."""
    return f"0x{hashlib.sha256(key).hexdigest()}"


def header(fingerprint: str) -> bytes:
    """Return what every value under the key of that fingerprint begins with."""
    return FORMAT + bytes.fromhex(fingerprint[2:])


def layer_of(value: bytes | bytearray) -> Digest | None:
    """Return the fingerprint of the key that a value says it is under; None without the layer."""
    if len(value) < _OVERHEAD_BYTES or not value.startswith(FORMAT):
        return None
    return f"0x{value[len(FORMAT) : len(FORMAT) + _FINGERPRINT_BYTES].hex()}"


def require_layer(value: bytes | bytearray, enrolled: str) -> None:
    """Raise ``CmekRefusedError`` unless a value is under the key of the enrolled fingerprint."""
    under = layer_of(value)
    if under is None:
        raise CmekRefusedError(
            "This vault takes values under the customer's key alone, and this one is under none: "
            "encrypt it with the client's helper."
        )
    if under != enrolled:
        raise CmekRefusedError(
            f"This vault takes values under the customer's key {enrolled}, and this one is under "
            f"{under}: encrypt it with the key that is enrolled."
        )
