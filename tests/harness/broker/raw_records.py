"""Reads the raw records of a topic, with aiokafka only."""

import asyncio
from collections import defaultdict
from typing import TypeAlias

from aiokafka import AIOKafkaConsumer, TopicPartition

Raw: TypeAlias = tuple[int, bytes | None, bytes]
"""Partition, key and value."""
SHOWN_S_MAX = 120
LOOK_S = 0.5


async def records_on(servers: str, topic: str, isolation: str) -> list[Raw]:
    """Return the records of the topic with this name in Kafka, by partition and offset."""
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, isolation_level=isolation)
    await consumer.start()
    try:
        await consumer._client.force_metadata_update()  # noqa: SLF001 - no public way
        await consumer._client.set_topics([topic])  # noqa: SLF001
        async with asyncio.timeout(SHOWN_S_MAX):
            while not consumer.partitions_for_topic(topic):  # a broker lags behind its controller
                await asyncio.sleep(LOOK_S)
                await consumer._client.force_metadata_update()  # noqa: SLF001
        places = [TopicPartition(topic, p) for p in sorted(consumer.partitions_for_topic(topic))]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        return await _to_the_end(consumer, places)
    finally:
        await consumer.stop()


async def _to_the_end(consumer: AIOKafkaConsumer, places: list[TopicPartition]) -> list[Raw]:
    ends = await consumer.end_offsets(places)
    found: dict[TopicPartition, list[Raw]] = defaultdict(list)
    while any([await consumer.position(at) < ends[at] for at in places]):
        for at, messages in (await consumer.getmany(timeout_ms=500)).items():
            found[at] += [(at.partition, m.key, m.value or b"") for m in messages]
    return [record for at in places for record in found[at]]
