"""The common fields of events that a signer signs."""

from schemas.canonical import Canonical
from schemas.fields import Digest, Ed25519Signature, Name


class SignerEvent(Canonical):
    """An event that ``signer`` signed, by name; the signature is over the event's redacted form."""

    id: Digest
    signer: Name
    signature: Ed25519Signature | None = None
