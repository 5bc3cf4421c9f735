"""Signatures of deliveries as Standard Webhooks v1 defines them: HMAC-SHA256 of id, time and body.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hmac
import re

from sixgate.webhooks.errors import WebhookInvalidError

SECRET_PREFIX = "whsec_"  # noqa: S105 - the public prefix of every secret
SECRET_BYTES = 32
SECRET_BYTES_MIN, SECRET_BYTES_MAX = 24, 64
_MESSAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)


def new_secret(key: bytes) -> str:
    """Return the text form of a secret from ``SECRET_BYTES`` random bytes."""
    if len(key) != SECRET_BYTES:
        raise ValueError(f"a new secret is made of {SECRET_BYTES} random bytes")
    return SECRET_PREFIX + base64.b64encode(key).decode()


def secret_key(secret: str) -> bytes:
    """Return the HMAC key of a secret; raise ``WebhookInvalidError`` without repeating it."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    # Encoding the key again rejects non-zero padding bits: two texts would name one key.
    canonical = SECRET_PREFIX + base64.b64encode(key).decode()
    if not SECRET_BYTES_MIN <= len(key) <= SECRET_BYTES_MAX or canonical != secret:
        raise WebhookInvalidError(
            "secret",
            f"secret must be {SECRET_PREFIX} and the base64 form of {SECRET_BYTES_MIN} to "
            f"{SECRET_BYTES_MAX} random bytes; leave it out to have one generated",
        ) from None
    return key


def signed_headers(secret: str, message_id: str, at_s: int, body: bytes) -> dict[str, str]:
    """Return the three headers that authenticate one attempt to deliver a body.

    ``message_id`` is the same in every attempt, ``at_s`` is the time of this attempt.
    """
    # A dot in the id would let one signature cover two divisions into id, time and body.
    if not _MESSAGE_ID.fullmatch(message_id):
        raise ValueError("a message id consists of letters, digits, hyphens and underscores")
    signed = b".".join((message_id.encode(), str(at_s).encode(), body))
    signature = base64.b64encode(hmac.digest(secret_key(secret), signed, "sha256")).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": f"v1,{signature}",
    }
