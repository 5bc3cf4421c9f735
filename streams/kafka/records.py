"""Between Kafka's messages and our records."""

from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord

from schemas.partition import partition_of
from schemas.record import Outgoing, Record
from schemas.topics import TOPICS, Topic


def record_of(message: "ConsumerRecord[bytes | None, bytes | None]") -> Record:
    """Return a message as a record; bytes that are no UTF-8 stay distinct in its key.

    A tombstone is a record with an empty value, which is malformed on every topic.
    """
    key = (message.key or b"").decode("utf-8", "surrogateescape")
    return Record(
        Topic(message.topic),
        message.partition,
        message.offset,
        key,
        message.value or b"",
        max(message.timestamp, 0),
    )


def partition_for(record: Outgoing, partitions: int) -> int:
    """Return where a record belongs: with its account, or in the one partition there is."""
    return partition_of(record.key, partitions) if TOPICS[record.topic].keyed else 0


def place(topic: Topic, partition: int) -> TopicPartition:
    """Return a topic's partition as aiokafka names it."""
    return TopicPartition(topic.value, partition)
