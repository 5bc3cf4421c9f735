"""base64url without padding, as used by JSON Web Signatures and Keys. Source: RFC 7515."""

import base64
import re

_ALPHABET = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)


def base64url_decode(text: str) -> bytes:
    """Decode a text; raise ``ValueError`` unless it is the canonical encoding of its bytes."""
    if not _ALPHABET.fullmatch(text):
        raise ValueError("not base64url")
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != text:
        raise ValueError("not canonical base64url")
    return raw
