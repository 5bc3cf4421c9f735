"""Re-reading every topic from its start, and re-appending every record, changes nothing."""

import asyncio
import time

import orjson
from aiokafka.errors import KafkaError

from schemas.record import Outgoing
from schemas.topics import TOPICS, Topic
from streams.gates.stages import GATE_OF
from streams.kafka.access import GATES_GROUP
from tests.harness.judge.promises import check
from tests.harness.pipeline.embedded import ACCOUNT, STRANGER, Producer
from tests.harness.pipeline.load import DEAR_WEI
from tests.harness.pipeline.scaled import Scaled, all_ended, on_kafka, raw_records

# Of the twenty intents that the limit allows, before and after.
BEFORE, AFTER = 8, 12
TOO_MANY = 10
AGAIN = (*GATE_OF, Topic.DECIDED, Topic.REGISTRY, Topic.KEY_REQUESTS, Topic.VAULT)
EMPTY_S_MAX = 30


async def rewind(scaled: Scaled) -> None:
    """Reset the gates' group to the start of every topic, once its last member has left."""
    partitions = scaled.folder.trust().partitions
    consumer = scaled.broker.consumer(group_id=GATES_GROUP)
    await consumer.start()
    at = scaled.broker.names.at
    starts = {at(t, p): 0 for t in GATE_OF for p in range(TOPICS[t].partitions(partitions))}
    consumer.assign(list(starts))
    ends_at_s = time.monotonic() + EMPTY_S_MAX
    while True:
        try:
            await consumer.commit(starts)
            break
        except KafkaError:
            assert time.monotonic() < ends_at_s, "the gates' group never emptied"
            await asyncio.sleep(0.5)
    await consumer.stop()


async def append_again(scaled: Scaled, topic: Topic) -> None:
    """Append every record of a topic again, unchanged and to the same partition."""
    producer = scaled.broker.producer()
    records = await asyncio.to_thread(raw_records, scaled.broker, topic)
    await producer.start()
    for partition, key, value in records:
        await producer.send_and_wait(scaled.broker.names.of(topic), value, key, partition)
    await producer.stop()


def submit(scaled: Scaled, values: list[bytes]) -> None:
    scaled.send([Outgoing(Topic.SUBMITTED, ACCOUNT, value) for value in values])


def test_redelivered_records_give_no_second_outcome_and_no_charge(
    scaled: Scaled, trader: Producer
) -> None:
    scaled.start_all()
    dear = [trader.signed(f"{n}", value_wei=DEAR_WEI) for n in range(BEFORE + AFTER + TOO_MANY)]
    submit(scaled, [*dear[:BEFORE], trader.signed("no", to=STRANGER), b"garbage"])
    scaled.settle(all_ended)
    outcomes = on_kafka(scaled.broker)(Topic.OUTCOMES)
    scaled.stop_all()
    asyncio.run(rewind(scaled))
    for topic in AGAIN:
        asyncio.run(append_again(scaled, topic))
    scaled.start_all()
    submit(scaled, dear[BEFORE:])  # after all the redelivered records
    scaled.settle(lambda found: len(found.outcomes) >= len(dear) + 1)
    found = check(on_kafka(scaled.broker), settled=True)
    assert on_kafka(scaled.broker)(Topic.OUTCOMES)[: len(outcomes)] == outcomes
    assert len(found.signed) == BEFORE + AFTER
    assert len(found.outcomes) == len(dear) + 1
    repeated = [
        e for e in map(orjson.loads, scaled.audit()) if e.get("action") == "intent.duplicate"
    ]
    assert len({e["subject"] for e in repeated}) == BEFORE + 1, "a redelivery left no trace"
