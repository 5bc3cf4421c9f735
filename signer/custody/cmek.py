"""The customer layer (CMEK) of a value: its format, and the checks that the server can make.

The customer encrypts a value before sending it, under a key that the server never has. The server
knows the key's fingerprint: the SHA-256 of its 32 uniformly random bytes, which reveals nothing
about them. A layered value is ``format || fingerprint || nonce || ciphertext || tag``: AES-256-GCM,
with the clear part authenticated (``signer.custody.aead``). The server cannot verify the tag; it
can refuse a value without a layer, or with another key's layer.
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
    """The version of a secret with which a customer layer is authenticated."""

    org: _Label
    account: _Label
    vault: _Label
    path: _Label
    version: Ordinal

    def aad(self, fingerprint: str) -> bytes:
        """Return the canonical bytes that are authenticated with the layer of that key."""
        return canonical_bytes(
            {"type": "cmek.layer", "v": 1, "fingerprint": fingerprint, **self.model_dump()}
        )


def fingerprint_of(key: bytes | bytearray) -> str:
    """Return the fingerprint of a customer's key of 32 bytes."""
    return f"0x{hashlib.sha256(key).hexdigest()}"


def header(fingerprint: str) -> bytes:
    """Return the first bytes of every value under the key of that fingerprint."""
    return FORMAT + bytes.fromhex(fingerprint[2:])


def layer_of(value: bytes | bytearray) -> Digest | None:
    """Return the key fingerprint in a value's layer; None if the value has no layer."""
    if len(value) < _OVERHEAD_BYTES or not value.startswith(FORMAT):
        return None
    return f"0x{value[len(FORMAT) : len(FORMAT) + _FINGERPRINT_BYTES].hex()}"


def require_layer(value: bytes | bytearray, enrolled: str) -> None:
    """Raise ``CmekRefusedError`` unless a value's layer names the enrolled fingerprint."""
    under = layer_of(value)
    if under is None:
        raise CmekRefusedError(
            "This vault accepts only values encrypted under the customer key, and this value is "
            "not encrypted: encrypt it with the client's helper."
        )
    if under != enrolled:
        raise CmekRefusedError(
            f"This vault accepts only values encrypted under customer key {enrolled}, and this "
            f"value is under {under}: encrypt it with the enrolled key."
        )
