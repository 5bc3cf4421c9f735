"""A record as it lies on a topic, and where it lies."""

from typing import Final, NamedTuple, TypeAlias

from schemas.topics import Topic

PartitionId: TypeAlias = tuple[Topic, int]
"""A topic and one of its partitions."""
REGISTRY_PARTITION: Final[PartitionId] = (Topic.REGISTRY, 0)
"""The one partition of the registry."""


class Record(NamedTuple):
    """One record of one partition; ``at_ms`` is the log's own append time and decides nothing.

    ``key`` is the account on keyed topics and empty elsewhere; ``value`` is bytes nobody vouches
    for until they are decoded.
    """

    topic: Topic
    partition: int
    offset: int
    key: str
    value: bytes
    at_ms: int


class Outgoing(NamedTuple):
    """A record to be appended; the log gives it partition, offset and time."""

    topic: Topic
    key: str
    value: bytes
