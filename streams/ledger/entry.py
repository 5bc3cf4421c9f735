"""Ledger entries: a record's redacted canonical event, or its digest if it is not an event.

Pure. Every record passes through here, so only the shape is checked and not the schema.
"""

import base64
import binascii
import re
from functools import lru_cache
from typing import Any

import orjson

from schemas.canonical import canonical_bytes, digest
from schemas.dsse import INTENT_TYPE, KEY_REQUEST_TYPE, REGISTRY_TYPE, VAULT_ORDER_TYPE
from schemas.intents.intent import intent_digest
from schemas.keys.key_events import request_digest
from schemas.keys.vault_events import vault_order_digest
from schemas.record import Record
from schemas.redaction import REDACTED_FIELDS, redacted
from schemas.registry.records import record_digest
from schemas.topics import INTERNAL_BYTES_MAX
from streams.ledger.chain import Entry

OPAQUE = "opaque"
OPAQUE_TAG = "sixgate/opaque/v1"

_PAYLOAD_ID = {
    INTENT_TYPE: intent_digest,
    REGISTRY_TYPE: record_digest,
    KEY_REQUEST_TYPE: request_digest,
    VAULT_ORDER_TYPE: vault_order_digest,
}
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}", re.ASCII)
_DIGEST = re.compile(r"0x[0-9a-f]{64}", re.ASCII)
# The parser makes these types, null and float; never a subclass.
_PLAIN = frozenset({str, int, bool})
# The encoder refuses integers beyond 2^53.
_CANONICAL = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER


def entry_of(record: Record) -> Entry:
    """Make the ledger entry of a record. Total: accepts every input and never raises.

    A canonical event keeps its id and bytes, with redacted fields replaced by their digests. A DSSE
    envelope keeps its bytes; its id is the digest of its payload. Everything else becomes an
    ``opaque`` event with digest and size, so that nothing unreadable is stored. A key that is not
    a valid name becomes its digest.
    """
    event_id, body = _event(record.value) or _opaque(record.value)
    key = _key(record.key)
    return Entry(record.topic, record.partition, record.offset, key, record.at_ms, event_id, body)


@lru_cache(maxsize=65_536)
def _key(key: str) -> str:
    if not key or _NAME.fullmatch(key):
        return key
    # Other keys may be arbitrary bytes of any producer, even invalid UTF-8.
    return digest(OPAQUE_TAG, key.encode("utf-8", "surrogateescape"))


def _event(raw: bytes) -> tuple[str, bytes] | None:
    """Return id and ledger body of a canonical event or envelope; None for anything else."""
    value = _canonical_object(raw)
    if value is None:
        return None
    if "payloadType" in value:
        name = _envelope_id(value)
        return None if name is None else (name, raw)
    kind, name = value.get("type"), value.get("id")
    if not isinstance(kind, str) or not isinstance(name, str):
        return None
    # Only the ledger makes opaque events: a record must not imitate the digest of another one.
    if kind == OPAQUE or not _DIGEST.fullmatch(name):
        return None
    # By type and not by topic: signed bytes or ciphertext on a wrong topic are redacted too.
    return name, canonical_bytes(redacted(value)) if kind in REDACTED_FIELDS else raw


def _canonical_object(raw: bytes) -> dict[str, Any] | None:
    """Parse an object in canonical bytes; None if it is not one."""
    if len(raw) > INTERNAL_BYTES_MAX:
        return None
    try:
        # Encoding again must give the same bytes: no whitespace, no repeated or unsorted keys.
        value = orjson.loads(raw)
        exact = orjson.dumps(value, option=_CANONICAL) == raw
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None
    if not exact or not isinstance(value, dict) or not _plain(value):
        return None
    return value if raw.isascii() or _ascii_names(value) else None


def _plain(value: Any) -> bool:
    """Tell whether a value contains no null and no float, at any depth."""
    for item in value.values() if type(value) is dict else value:
        kind = type(item)
        if kind in _PLAIN:
            continue
        if (kind is not dict and kind is not list) or not _plain(item):
            return False
    return True


def _ascii_names(value: object) -> bool:
    if isinstance(value, dict):
        return all(name.isascii() and _ascii_names(item) for name, item in value.items())
    return not isinstance(value, list) or all(map(_ascii_names, value))


def _envelope_id(value: dict[str, Any]) -> str | None:
    """Return the digest of an envelope's payload; None if it is not a Sixgate envelope."""
    payload_id = _PAYLOAD_ID.get(str(value["payloadType"]))
    if payload_id is None or value.keys() != {"payload", "payloadType", "signatures"}:
        return None
    payload = _unbase64(value["payload"])
    signed = _is_signature(value["signatures"])
    if payload is None or not signed or _canonical_object(payload) is None:
        return None
    return payload_id(payload)


def _is_signature(value: object) -> bool:
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], dict):
        return False
    (only,) = value
    return only.keys() == {"keyid", "sig"} and all(isinstance(text, str) for text in only.values())


def _unbase64(text: object) -> bytes | None:
    """Decode canonical standard base64; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        body = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return body if base64.b64encode(body).decode() == text else None


def _opaque(raw: bytes) -> tuple[str, bytes]:
    name = digest(OPAQUE_TAG, raw)
    body = {"digest": name, "size_bytes": len(raw), "type": OPAQUE}
    return name, canonical_bytes(body)
