"""Ledger entries of valid, malformed and hostile records."""

import base64
import hashlib
import json
from typing import Any

import orjson
import pytest

from schemas.dsse import INTENT_TYPE, REGISTRY_TYPE, Envelope, signed_envelope
from schemas.intents.intent import intent_digest
from schemas.ledger.audit import AuditRecord
from schemas.record import Record
from schemas.redaction import redacted
from schemas.registry.records import record_digest
from schemas.topics import INTERNAL_BYTES_MAX, Topic
from streams.ledger.chain import Entry
from streams.ledger.entry import entry_of
from tests.harness.builders.ledger import Pipeline, sample_intent, sealed

ID = "0x" + "1f" * 32


def entry(value: bytes, topic: Topic = Topic.DECIDED, key: str = "treasury") -> Entry:
    return entry_of(Record(topic, 1, 9, key, value, 1234))


def canonical(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def is_opaque(made: Entry, raw: bytes) -> bool:
    name = "0x" + hashlib.sha256(b"sixgate/opaque/v1\x00" + raw).hexdigest()
    body = canonical({"type": "opaque", "digest": name, "size_bytes": len(raw)})
    return (made.event_id, made.body) == (name, body)


def test_place_time_and_key_are_stored() -> None:
    made = entry(b"{}")
    assert made[:5] == ("intents.decided", 1, 9, "treasury", 1234)


def test_an_event_keeps_its_id_and_its_bytes() -> None:
    raw = AuditRecord(
        id=ID, action="intent.duplicate", actor="a", at_ms=1, subject=ID, detail="é"
    ).encode()
    assert entry(raw, Topic.AUDIT) == entry(raw, Topic.AUDIT)._replace(event_id=ID, body=raw)


def test_an_envelope_keeps_its_bytes_and_is_named_by_its_payload() -> None:
    intent = sample_intent(1, "treasury")
    raw = sealed(intent).encode()
    made = entry(raw, Topic.SUBMITTED)
    assert (made.event_id, made.body) == (intent_digest(intent.encode()), raw)


def test_two_signatures_over_one_payload_have_one_event_id() -> None:
    body = sample_intent(1, "treasury").encode()
    first, second = (
        signed_envelope(INTENT_TYPE, body, "a", sig).encode() for sig in (b"1" * 64, b"2" * 64)
    )
    assert entry(first).event_id == entry(second).event_id


def test_payload_types_keep_digests_apart() -> None:
    body = canonical({"a": 1})
    made = entry(signed_envelope(REGISTRY_TYPE, body, "a", b"s" * 64).encode(), Topic.REGISTRY)
    assert made.event_id == record_digest(body)


def test_signed_bytes_never_enter_the_ledger() -> None:
    records = Pipeline().run(1)
    signed = next(record for record in records if record.topic is Topic.SIGNED)
    event = orjson.loads(signed.value)
    made = entry_of(signed)
    assert event["raw_transaction"].encode() not in made.body
    assert orjson.loads(made.body) == redacted(event)
    assert made.event_id == event["id"]


def test_ciphertext_never_enters_the_ledger_whatever_topic_it_comes_on() -> None:
    event = {"type": "key.provisioned", "id": ID, "ciphertext": "0x5ec7e7", "wrapped_dek": [1]}
    made = entry(canonical(event), Topic.AUDIT)
    assert b"5ec7e7" not in made.body
    assert orjson.loads(made.body)["wrapped_dek"] != [1]


NO_EVENTS: dict[str, bytes] = {
    "nothing": b"",
    "not JSON": b"\xff\xfe garbage",
    "a list": b"[]",
    "text": b'"x"',
    "a number": b"1",
    "null": b"null",
    "no id": canonical({"type": "audit"}),
    "no type": canonical({"id": ID}),
    "an id that is no digest": canonical({"type": "audit", "id": "0x1"}),
    "an id with a line end": canonical({"type": "audit", "id": ID + "\n"}),
    "an upper-case id": canonical({"type": "audit", "id": ID.upper()}),
    "a numeric id": canonical({"type": "audit", "id": 1}),
    "a numeric type": canonical({"type": 1, "id": ID}),
    "whitespace": b'{"id": "%s","type":"audit"}' % ID.encode(),
    "unsorted keys": b'{"type":"audit","id":"%s"}' % ID.encode(),
    "a key twice": b'{"id":"%s","id":"%s","type":"audit"}' % (ID.encode(), ID.encode()),
    "an escaped letter": b'{"id":"%s","type":"\\u0061udit"}' % ID.encode(),
    "a float": canonical({"id": ID, "type": "audit", "x": 1.5}),
    "a float inside": canonical({"id": ID, "type": "audit", "x": [{"y": [1e300]}]}),
    "null inside": canonical({"id": ID, "type": "audit", "x": {"y": None}}),
    "null in a list": canonical({"id": ID, "type": "audit", "x": [None]}),
    "an integer past 2^53": canonical({"id": ID, "type": "audit", "x": 2**53}),
    "a negative one": canonical({"id": ID, "type": "audit", "x": -(2**53)}),
    "an integer past 2^64": b'{"id":"%s","type":"audit","x":%d}' % (ID.encode(), 2**70),
    "NaN": b'{"id":"%s","type":"audit","x":NaN}' % ID.encode(),
    "a name beyond ASCII": canonical({"id": ID, "type": "audit", "x": {"é": 1}}),
    "a lone surrogate": b'{"id":"%s","type":"audit","x":"\\ud800"}' % ID.encode(),
    "invalid UTF-8": b'{"id":"%s","type":"audit","x":"\xff"}' % ID.encode(),
    "a byte order mark": b"\xef\xbb\xbf" + canonical({"id": ID, "type": "audit"}),
    "an opaque event": canonical({"id": ID, "type": "opaque"}),
    "deep nesting": b'{"id":"%s","type":"audit","x":%s1%s}'
    % (ID.encode(), b"[" * 5000, b"]" * 5000),
    "nesting the parser takes and the encoder not": b'{"id":"%s","type":"audit","x":%s1%s}'
    % (ID.encode(), b"[" * 500, b"]" * 500),
    "too long": canonical({"id": ID, "type": "audit", "x": "x" * INTERNAL_BYTES_MAX}),
}


@pytest.mark.parametrize("raw", NO_EVENTS.values(), ids=NO_EVENTS)
def test_other_input_than_canonical_events_is_stored_as_digest_and_size(raw: bytes) -> None:
    assert is_opaque(entry(raw), raw)


def envelope(**changes: Any) -> bytes:
    plain = json.loads(sealed(sample_intent(1, "treasury")).encode())
    return canonical(plain | changes)


NO_ENVELOPES: dict[str, bytes] = {
    "an unknown payload type": envelope(payloadType="text/plain"),
    "a payload type that is no text": envelope(payloadType=["x"]),
    "an extra field": envelope(extra=1),
    "two signatures": envelope(signatures=[{"keyid": "a", "sig": "AA=="}] * 2),
    "no signature": envelope(signatures=[]),
    "a signature that is text": envelope(signatures=["x"]),
    "a signature without a name": envelope(signatures=[{"sig": "AA=="}]),
    "a numeric signature": envelope(signatures=[{"keyid": "a", "sig": 1}]),
    "a payload that is no text": envelope(payload=1),
    "a payload that is no base64": envelope(payload="!!!!"),
    "a payload without padding": envelope(payload=base64.b64encode(b'{"a":1}').decode()[:-1]),
    "a payload with spare bits": envelope(payload="e30x"[:-2] + "1="),
    "url-safe base64": envelope(payload="_-8="),
    "a payload of garbage": envelope(payload=base64.b64encode(b"\x00\xff").decode()),
    "a payload that is a list": envelope(payload=base64.b64encode(b"[1]").decode()),
    "a payload with spaces": envelope(payload=base64.b64encode(b'{"a": 1}').decode()),
    "a payload with null": envelope(payload=base64.b64encode(b'{"a":null}').decode()),
}


@pytest.mark.parametrize("raw", NO_ENVELOPES.values(), ids=NO_ENVELOPES)
def test_an_invalid_envelope_is_stored_as_digest_and_size(raw: bytes) -> None:
    assert is_opaque(entry(raw, Topic.SUBMITTED), raw)


def test_the_unchanged_sample_envelope_is_valid() -> None:
    assert entry(envelope()).body == envelope() == Envelope.decode(envelope()).encode()


def test_text_beyond_ascii_is_kept() -> None:
    raw = canonical({"id": ID, "type": "audit", "x": "ünïcode 1.5 null"})
    assert entry(raw).body == raw


def test_the_largest_plain_integer_is_kept() -> None:
    raw = canonical({"id": ID, "type": "audit", "x": 2**53 - 1})
    assert entry(raw).body == raw


@pytest.mark.parametrize("key", ["", "treasury", "a.b-c_9", "x" * 63])
def test_names_stay_as_keys(key: str) -> None:
    assert entry(b"{}", key=key).key == key


@pytest.mark.parametrize("key", ["Treasury", "a b", "x" * 64, "\x00", "é", "a\n", "\udcff", ID])
def test_a_key_that_is_not_a_name_is_stored_as_its_digest(key: str) -> None:
    raw = key.encode("utf-8", "surrogateescape")  # a log's bytes that are no UTF-8, as they are
    assert entry(b"{}", key=key).key == (
        "0x" + hashlib.sha256(b"sixgate/opaque/v1\x00" + raw).hexdigest()
    )
