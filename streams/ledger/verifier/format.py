"""A ledger row as docs/format.md specifies it: fields, hash and event id."""

import base64
import hashlib
import struct
from typing import Any, NamedTuple

import orjson

from . import faults

GENESIS = bytes(32)
PAYLOAD_TAGS = {
    "application/vnd.sixgate.intent.v1+json": b"sixgate/intent/v1",
    "application/vnd.sixgate.registry.v1+json": b"sixgate/registry/v1",
    "application/vnd.sixgate.key-request.v1+json": b"sixgate/key-request/v1",
    "application/vnd.sixgate.vault-order.v1+json": b"sixgate/vault-order/v1",
}

_HEADER = struct.Struct(">QQQIIII")


class Row(NamedTuple):
    """One row; hashes are 32 raw bytes, ``body`` is bytes, other fields are text or integers."""

    seq: int
    prev_hash: bytes
    hash: bytes
    topic: str
    partition: int
    offset: int
    key: str
    at_ms: int
    event_id: str
    body: bytes


class VerificationError(Exception):
    """Verification failed: ``seq`` is the first bad row, ``what`` describes its fault."""

    def __init__(self, seq: int, what: str) -> None:
        super().__init__(f"Row {seq}: {what}.")
        self.seq = seq
        self.what = what


def row_hash(row: Row) -> bytes:
    """Compute the hash that a row must have: leaf first, then number, link and leaf."""
    seq, prev_hash, _, topic, partition, offset, key, at_ms, event_id, body = row
    topic_utf8, key_utf8, id_utf8 = topic.encode(), key.encode(), event_id.encode()
    lengths = (len(topic_utf8), len(key_utf8), len(id_utf8), len(body))
    header = _HEADER.pack(partition, offset, at_ms, *lengths)
    # The leaf: numbers and lengths, then the texts, so that no byte can move between fields.
    leaf = hashlib.sha256(b"\x00" + header + topic_utf8 + key_utf8 + id_utf8 + body).digest()
    # The row: bound to its number and to the previous row.
    link = b"sixgate/ledger/v1\x00" + seq.to_bytes(8, "big") + prev_hash + leaf
    return hashlib.sha256(link).digest()


def event_of(row: Row) -> dict[str, Any]:
    """Return the body's event; raise ``VerificationError`` if its id is not the row's event id."""
    try:
        event = orjson.loads(row.body)
        if "payloadType" in event:
            tag = PAYLOAD_TAGS[event["payloadType"]]
            payload = base64.b64decode(event["payload"], validate=True)
            name = "0x" + hashlib.sha256(tag + b"\x00" + payload).hexdigest()
        else:
            name = event["digest"] if event["type"] == "opaque" else event["id"]
    except (ValueError, KeyError, TypeError):
        raise VerificationError(row.seq, faults.BODY) from None
    if name != row.event_id:
        raise VerificationError(row.seq, faults.EVENT_ID)
    return event  # type: ignore[no-any-return]  # subscripted with text above, so a dict
