"""The writer produces the example in docs/format.md, and the verifier accepts it."""

import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from schemas.canonical import event_id
from schemas.dsse import INTENT_TYPE, Envelope
from schemas.intents.intent import TransactionIntent, intent_digest
from schemas.record import Record
from schemas.redaction import REDACTED_FIELDS, signed_part
from schemas.topics import Topic
from streams.ledger.chain import Entry, entry_bytes, leaf
from streams.ledger.verifier import Row, read_heads, read_rows, verify
from tests.harness.builders.ledger import rows_of

PAGE = (Path(__file__).parents[3] / "docs" / "format.md").read_text("utf-8")
EXAMPLE: dict[str, Any] = json.loads(re.findall(r"(?s)```json\n(.*?)\n```", PAGE)[0])


def rows() -> list[Row]:
    lines = b"".join(orjson.dumps(row) + b"\n" for row in EXAMPLE["rows"])
    return list(read_rows(io.BytesIO(lines)))


def raw(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def test_the_rows_and_the_head_verify() -> None:
    line = orjson.dumps(EXAMPLE["head"]) + b"\n"
    heads = read_heads(io.BytesIO(line), raw(EXAMPLE["ledger_public_key"]))
    report = verify(rows(), heads, [raw(EXAMPLE["signer_public_key"])])
    assert (report.rows, report.heads, report.outcomes, report.forged) == (3, 1, 1, 0)


def test_entry_bytes_and_leaf_of_row_0_match_the_writer() -> None:
    entry = Entry(*rows()[0][3:])
    assert hashlib.sha256(entry_bytes(entry)).digest() == raw(EXAMPLE["row_0_entry_sha256"])
    assert leaf(entry) == raw(EXAMPLE["row_0_leaf"])


def test_digests_and_event_ids_match_the_writer() -> None:
    body = EXAMPLE["intent"].encode()
    assert TransactionIntent.decode(body).encode() == body
    assert intent_digest(body) == EXAMPLE["intent_digest"] == EXAMPLE["rows"][0]["event_id"]
    own_id = event_id("outcome", EXAMPLE["intent_digest"])
    assert own_id == EXAMPLE["outcome_event_id"] == EXAMPLE["rows"][2]["event_id"]


def test_signed_bytes_match_the_page() -> None:
    envelope = Envelope.decode(EXAMPLE["rows"][0]["body"].encode())
    agent = Ed25519PublicKey.from_public_bytes(raw(EXAMPLE["agent_public_key"]))
    agent.verify(envelope.signature(), envelope.signed_bytes(INTENT_TYPE))
    outcome = json.loads(EXAMPLE["rows"][2]["body"])
    signed = signed_part(outcome)
    assert hashlib.sha256(signed).digest() == raw(EXAMPLE["outcome_signed_bytes_sha256"])
    signer = Ed25519PublicKey.from_public_bytes(raw(EXAMPLE["signer_public_key"]))
    signer.verify(raw(outcome["signature"]), signed)


def test_the_page_names_every_redacted_field() -> None:
    for kind, fields in REDACTED_FIELDS.items():
        assert re.search(rf"\| `{kind}` \| {', '.join(f'`{name}`' for name in fields)} \|", PAGE)


def test_the_page_names_every_topic_without_rows() -> None:
    rows = PAGE.partition("## 5. Rows of the ledger\n")[2].partition("Its `body` is")[0]
    assert set(re.findall("`(.*?)`", rows)) == {Topic.STATE, Topic.REGISTRY_HEADS, Topic.HEADS}


@pytest.mark.parametrize(
    ("character", "written"),
    [
        ("\x08", "\\b"), ("\t", "\\t"), ("\n", "\\n"), ("\x0c", "\\f"), ("\r", "\\r"),
        ("\x00", "\\u0000"), ("\x1f", "\\u001f"), ('"', '\\"'), ("\\", "\\\\"),
        ("/", "/"), ("\x7f", "\x7f"), ("\u2028", "\u2028"), ("é", "é"),
    ],
)  # fmt: skip
def test_strings_are_escaped_as_the_page_says(character: str, written: str) -> None:
    assert orjson.dumps(character).decode() == f'"{written}"'


def test_the_example_is_made_by_the_writer() -> None:
    envelope, _, outcome = (row.body for row in rows())
    digest, clear = EXAMPLE["raw_transaction_digest"].encode(), EXAMPLE["raw_transaction"].encode()
    assert digest in outcome
    at_ms = rows()[0].at_ms
    records = [
        Record(Topic.SUBMITTED, 3, 0, "treasury", envelope, at_ms),
        Record(Topic.SUBMITTED, 3, 1, "Not A Name", b"hello", at_ms + 1),
        Record(Topic.OUTCOMES, 3, 0, "treasury", outcome.replace(digest, clear), at_ms + 2),
    ]
    assert rows_of(records) == rows()
