"""Gated fields: what a topic carries in clear and the ledger, and every signature, by digest.

A signature over the redacted form can be checked by whoever holds either form.
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
_TAG = "sixgate/gated/v1"


def redacted(event: dict[str, Any]) -> dict[str, Any]:
    """Replace the redacted fields of a decoded event by the digests of their text.

    The text of a field that is a list is its canonical bytes.
    """
    fields = REDACTED_FIELDS.get(str(event.get("type")), ())
    return event | {name: redacted_digest(_text(event[name])) for name in fields if name in event}


def redacted_digest(text: str) -> str:
    """Return what stands for the text of a redacted field."""
    return digest(_TAG, text.encode())


def signed_part(gated_event: dict[str, Any]) -> bytes:
    """Return the bytes a service signs: the redacted event without signature, tagged by type."""
    content = {name: value for name, value in gated_event.items() if name != "signature"}
    tag = f"sixgate/event/{gated_event['type']}/v1".encode()
    return tag + b"\x00" + canonical_bytes(content)


def _text(value: object) -> str:
    # Tuples are a model's lists; whatever else somebody put there is taken as it was written.
    return canonical_bytes(value).decode() if isinstance(value, list | tuple) else str(value)
