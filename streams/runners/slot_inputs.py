"""What a slot of the signer reads on Kafka, and from which positions."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import NamedTuple

from schemas.partition import SlotPartitions
from schemas.record import REGISTRY_PARTITION, PartitionId, Record
from schemas.topics import Topic
from streams.kafka.broker import FETCH_WAIT_MS, Broker
from streams.kafka.reader import QUIET_WAIT_MS, Reader
from streams.runners.slot import position_name


class Inputs(NamedTuple):
    """What a slot reads: intents that all gates have seen, and what operators sent."""

    decided: Reader
    requests: Reader
    registry: Reader


async def open_inputs(
    broker: Broker, at: SlotPartitions, positions: Mapping[str, int], opened: AsyncExitStack
) -> Inputs:
    """Open what a slot reads behind its positions; ``opened`` closes it."""

    async def reader(places: Sequence[PartitionId], wait_ms: int = QUIET_WAIT_MS) -> Reader:
        start = {place: positions.get(position_name(place), 0) for place in places}
        return await opened.enter_async_context(Reader(broker, start, wait_ms))

    return Inputs(
        await reader(places_of(at, Topic.DECIDED), FETCH_WAIT_MS),
        await reader(places_of(at, Topic.KEY_REQUESTS)),
        await reader([REGISTRY_PARTITION]),
    )


def places_of(at: SlotPartitions, topic: Topic) -> list[PartitionId]:
    """Return the slot's partitions of a topic."""
    return [(topic, partition) for partition in at.partitions]


def positions_behind(records: Iterable[Record]) -> dict[str, int]:
    """Return the position behind the last record of every partition."""
    return {position_name((r.topic, r.partition)): r.offset + 1 for r in records}
