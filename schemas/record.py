"""Records on topics, and their partitions."""

from typing import Final, NamedTuple, TypeAlias

from schemas.topics import Topic

PartitionId: TypeAlias = tuple[Topic, int]
"""A topic and one of its partitions."""
REGISTRY_PARTITION: Final[PartitionId] = (Topic.REGISTRY, 0)
"""The only partition of the registry."""


class Record(NamedTuple):
    """One record of a partition; ``at_ms`` is the log's append time and affects no decision.

    ``key`` is the account on keyed topics and empty on others. ``value`` is untrusted until it is
    decoded and verified.
    """

    topic: Topic
    partition: int
    offset: int
    key: str
    value: bytes
    at_ms: int

    @property
    def source(self) -> str:
        """Its name in events: topic, partition and offset."""
        return f"{self.topic}/{self.partition}/{self.offset}"


class Outgoing(NamedTuple):
    """A record to append; the log assigns partition, offset and time."""

    topic: Topic
    key: str
    value: bytes
