"""Rows of a ledger as the stand-alone verifier reads them, whole and tampered with."""

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.record import Record
from schemas.topics import Topic
from streams.ledger.verifier import Row
from tests.harness.builders.ledger import (
    Pipeline,
    rows_of,
    sample_intent,
    sample_outcome,
    signed,
)

ROWS = rows_of(Pipeline().run(20))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"o" * 32)


def changed(seq: int, **fields: Any) -> list[Row]:
    return [row._replace(**fields) if row.seq == seq else row for row in ROWS]


def outcomes(*values: bytes, topic: Topic = Topic.OUTCOMES) -> list[Row]:
    return rows_of([Record(topic, 0, n, "a", value, 0) for n, value in enumerate(values)])


def outcome(n: int, sequence: int, key: Ed25519PrivateKey | None = None) -> bytes:
    made = sample_outcome(n, sample_intent(n, "treasury"), sequence, 7)
    return (signed(made, key) if key else made).encode()
