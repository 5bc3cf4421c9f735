"""The partition of an account's records: murmur2, as in Kafka's Java clients."""

from functools import lru_cache
from typing import NamedTuple

from schemas.record import Outgoing, Record
from schemas.topics import TOPICS

_MASK = 0xFFFFFFFF
_M = 0x5BD1E995


def murmur2(key: bytes) -> int:
    """Return the unsigned 32-bit murmur2 hash with Kafka's seed (org.apache.kafka Utils)."""
    length = len(key)
    h = 0x9747B28C ^ length
    whole = length - length % 4
    for i in range(0, whole, 4):
        k = int.from_bytes(key[i : i + 4], "little") * _M & _MASK
        k = (k ^ (k >> 24)) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    if whole < length:
        h = (h ^ int.from_bytes(key[whole:], "little")) * _M & _MASK
    h = (h ^ (h >> 13)) * _M & _MASK
    return h ^ (h >> 15)


@lru_cache(maxsize=65_536)
def partition_of(account: str, partitions: int) -> int:
    """Return the partition of an account among ``partitions``."""
    return (murmur2(account.encode()) & 0x7FFFFFFF) % partitions


def partition_for(record: Outgoing, partitions: int) -> int:
    """Return a record's partition: its account's, or 0 on a topic with one partition."""
    return partition_of(record.key, partitions) if TOPICS[record.topic].keyed else 0


def well_routed(record: Record, account: str, partitions: int) -> bool:
    """Return whether a keyed record has its account's key and partition."""
    return record.key == account and record.partition == partition_of(account, partitions)


class SlotPartitions(NamedTuple):
    """The partitions of one slot, fixed when the organisation is created."""

    number: int
    partitions: range
    partitions_total: int


def slot_partitions(number: int, width: int, partitions: int) -> SlotPartitions:
    """Return slot ``number`` of slots ``width`` partitions wide; the last may be narrower.

    Raises ``ValueError`` if there is no such slot.
    """
    first = number * width
    if not 0 <= first < partitions:
        raise ValueError(
            f"there is no slot {number}: {partitions} partitions, {width} in each slot"
        )
    return SlotPartitions(number, range(first, min(first + width, partitions)), partitions)
