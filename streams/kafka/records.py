"""Converts Kafka messages to records."""

from aiokafka.structs import ConsumerRecord

from schemas.record import Record
from streams.kafka.names import Names


def record_of(message: "ConsumerRecord[bytes | None, bytes | None]", names: Names) -> Record:
    """Return a message as a record.

    A tombstone is a record with an empty value, which is malformed on every topic.
    """
    return Record(
        names.topic(message.topic),
        message.partition,
        message.offset,
        decoded_key(message.key),
        message.value or b"",
        max(message.timestamp, 0),
    )


def decoded_key(key: bytes | None) -> str:
    """Return a message's key as text in which other bytes stay distinct (PEP 383)."""
    return (key or b"").decode("utf-8", "surrogateescape")
