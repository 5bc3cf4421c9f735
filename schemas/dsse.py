"""Dead Simple Signing Envelope v1 with exactly one signature.

Source: the DSSE protocol specification, secure-systems-lab/dsse.
"""

import base64
import binascii
from typing import Annotated

from pydantic import AfterValidator, Field

from schemas.canonical import Canonical, MalformedError
from schemas.fields import KeyId

INTENT_TYPE = "application/vnd.sixgate.intent.v1+json"
REGISTRY_TYPE = "application/vnd.sixgate.registry.v1+json"
KEY_REQUEST_TYPE = "application/vnd.sixgate.key-request.v1+json"
SIMULATION_TYPE = "application/vnd.sixgate.simulation.v1+json"
VAULT_ORDER_TYPE = "application/vnd.sixgate.vault-order.v1+json"
READ_REQUEST_TYPE = "application/vnd.sixgate.read-request.v1+json"
HEAD_TYPE = "application/vnd.sixgate.ledger-head.v1+json"
RELEASE_POLICY_TYPE = "application/vnd.sixgate.release-policy.v1+json"
REGISTRY_HEAD_TYPE = "application/vnd.sixgate.registry-head.v1+json"


def _strict_base64(text: str) -> str:
    try:
        canonical = base64.b64encode(base64.b64decode(text, validate=True)).decode() == text
    except (binascii.Error, ValueError):
        canonical = False
    if not canonical:
        raise ValueError("not standard base64 with padding")
    return text


Base64 = Annotated[str, AfterValidator(_strict_base64)]


class Signature(Canonical):
    """One signature and the name of the key that made it; the name is a hint, not a proof."""

    keyid: KeyId
    sig: Base64


class Envelope(Canonical):
    """A payload with its type and its signature."""

    payload: Base64
    payload_type: str = Field(alias="payloadType", max_length=128)
    signatures: Annotated[tuple[Signature, ...], Field(min_length=1, max_length=1)]

    def body(self) -> bytes:
        """Return the payload bytes."""
        return base64.b64decode(self.payload)

    def signature(self) -> bytes:
        """Return the bytes of the only signature."""
        return base64.b64decode(self.signatures[0].sig)

    def signed_bytes(self, expected_type: str) -> bytes:
        """Return the bytes that the signature covers; raise ``MalformedError`` for another type."""
        if self.payload_type != expected_type:
            raise MalformedError("payloadType", f"is not {expected_type}")
        return pae(self.payload_type, self.body())


def pae(payload_type: str, body: bytes) -> bytes:
    """Return DSSE's pre-authentication encoding."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(body), body)


def signed_envelope(payload_type: str, body: bytes, keyid: str, signature: bytes) -> Envelope:
    """Put a body and a signature over its ``pae`` into an envelope."""
    signed = Signature(keyid=keyid, sig=base64.b64encode(signature).decode())
    return Envelope(
        payload=base64.b64encode(body).decode(), payload_type=payload_type, signatures=(signed,)
    )
