"""Gated fields: what a topic carries in clear and the ledger, and every signature, by digest.

A signature over the gated form can be checked by whoever holds either form.
"""

from typing import Any

from schemas.canonical import canonical_bytes, digest

GATED: dict[str, tuple[str, ...]] = {
    "transaction.signed": ("raw_transaction",),
    "key.provisioned": ("wrapped_kek", "wrapped_dek", "ciphertext"),
}
_TAG = "sixgate/gated/v1"


def gated(event: dict[str, Any]) -> dict[str, Any]:
    """Replace the gated fields of a decoded event by the digests of their text."""
    fields = GATED.get(str(event.get("type")), ())
    hidden = {name: digest(_TAG, str(event[name]).encode()) for name in fields if name in event}
    return event | hidden


def signed_part(gated_event: dict[str, Any]) -> bytes:
    """Return the bytes a service signs: the gated event without its signature, tagged by type."""
    content = {name: value for name, value in gated_event.items() if name != "signature"}
    tag = f"sixgate/event/{gated_event['type']}/v1".encode()
    return tag + b"\x00" + canonical_bytes(content)
