"""A slot's input topics on Kafka, opened at the positions of its state."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import NamedTuple

from schemas.partition import SlotPartitions
from schemas.record import REGISTRY_PARTITION, PartitionId, Record
from schemas.topics import Topic
from signer.stage.slot import position_name
from streams.kafka.broker import FETCH_WAIT_MS, Broker
from streams.kafka.reader import QUIET_WAIT_MS, Reader


class Inputs(NamedTuple):
    """The readers of a slot: intents that passed all gates, key requests, and the registry."""

    decided: Reader
    requests: Reader
    registry: Reader


async def open_inputs(
    broker: Broker, at: SlotPartitions, positions: Mapping[str, int], opened: AsyncExitStack
) -> Inputs:
    """Open a slot's readers at ``positions``; the exit stack ``opened`` closes them."""

    async def reader(partitions: Sequence[PartitionId], wait_ms: int = QUIET_WAIT_MS) -> Reader:
        start = {one: positions.get(position_name(one), 0) for one in partitions}
        return await opened.enter_async_context(Reader(broker, start, wait_ms))

    return Inputs(
        await reader(partitions_of_slot(at, Topic.DECIDED), FETCH_WAIT_MS),
        await reader(partitions_of_slot(at, Topic.KEY_REQUESTS)),
        await reader([REGISTRY_PARTITION]),
    )


def partitions_of_slot(at: SlotPartitions, topic: Topic) -> list[PartitionId]:
    """Return the slot's partitions of a topic."""
    return [(topic, partition) for partition in at.partitions]


def next_positions(records: Iterable[Record]) -> dict[str, int]:
    """Return, for every partition, the offset after its last record in ``records``."""
    return {position_name((r.topic, r.partition)): r.offset + 1 for r in records}
