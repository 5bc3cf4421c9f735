"""Redacted fields: topics carry them in full, the ledger and all signatures only their digests.

Signatures cover the redacted form, so they can be verified with either form.
"""

from typing import Any

from schemas.canonical import canonical_bytes, digest

_WRAPPED = ("wrapped_kek", "wrapped_dek", "wrapped_shares")
REDACTED_FIELDS: dict[str, tuple[str, ...]] = {
    "transaction.signed": ("raw_transaction",),
    "message.signed": ("message_signature",),
    "key.delivery": ("box",),
    "secret.delivery": ("box",),
    "key.provisioned": (*_WRAPPED, "ciphertext", "client_share"),
    "secret.stored": (*_WRAPPED, "ciphertext", "client_share"),
    "secret.rewrapped": _WRAPPED,
    "secret.recovered": (*_WRAPPED, "client_share"),
    "vault.key.changed": ("wrapped_kek",),
    "release.granted": ("sealed",),
}
# Part of the wire format, with the former word: another tag changes every digest.
_TAG = "sixgate/gated/v1"


def redacted(event: dict[str, Any]) -> dict[str, Any]:
    """Return a decoded event in redacted form: its redacted fields replaced by digests.

    The digest of a list covers its canonical bytes, that of another field its text.
    """
    fields = REDACTED_FIELDS.get(str(event.get("type")), ())
    return event | {name: redacted_digest(_text(event[name])) for name in fields if name in event}


def is_whole(event: dict[str, Any]) -> bool:
    """Return whether an event has all fields that its redacted form replaces; not their content."""
    return all(name in event for name in REDACTED_FIELDS.get(str(event.get("type")), ()))


def redacted_digest(text: str) -> str:
    """Return the digest that replaces the text of a redacted field."""
    return digest(_TAG, text.encode())


def signed_part(redacted_event: dict[str, Any]) -> bytes:
    """Return the bytes a service signs: the redacted event without signature, tagged by type."""
    content = {name: value for name, value in redacted_event.items() if name != "signature"}
    tag = f"sixgate/event/{redacted_event['type']}/v1".encode()
    return tag + b"\x00" + canonical_bytes(content)


def _text(value: object) -> str:
    # Models have tuples where JSON has lists. Any other type, in input that is not valid, is hashed
    # as its text.
    return canonical_bytes(value).decode() if isinstance(value, list | tuple) else str(value)
