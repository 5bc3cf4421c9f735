"""Topics rolled back to an older state: the signer detects it, halts and signs nothing."""

import asyncio

import pytest

from schemas.record import Outgoing
from schemas.topics import Topic
from sixgate.cli.exit_codes import ExitCode
from streams.kafka.provision import TopicPlan
from streams.kafka.topics import Replication
from tests.harness.broker.ledger_kafka import delete_topics
from tests.harness.broker.raw_records import Raw
from tests.harness.judge.promises import check
from tests.harness.pipeline.embedded import ACCOUNT, Producer
from tests.harness.pipeline.ledger_wait import await_ledger
from tests.harness.pipeline.scaled import Scaled, all_ended, on_kafka, raw_records


def sign(scaled: Scaled, trader: Producer, key: str) -> None:
    scaled.send([Outgoing(Topic.SUBMITTED, ACCOUNT, trader.signed(key))])
    scaled.settle(all_ended)


async def put_back(scaled: Scaled, topic: Topic, records: list[Raw]) -> None:
    """Recreate a topic with other records, as an operator of the brokers could."""
    await delete_topics(scaled.broker, topic)
    await TopicPlan(scaled.folder.trust().partitions, Replication(1, 1)).apply(scaled.broker)
    producer = scaled.broker.producer()
    await producer.start()
    for partition, key, value in records:
        await producer.send_and_wait(scaled.broker.names.of(topic), value, key, partition)
    await producer.stop()


def test_state_rolled_back_is_detected_with_the_ledger(
    scaled_with_ledger: Scaled, trader: Producer
) -> None:
    scaled = scaled_with_ledger
    for name in ("gates", "signer", "ledger"):
        scaled.start(name)
    sign(scaled, trader, "first")
    older = raw_records(scaled.broker, Topic.STATE)
    sign(scaled, trader, "second")
    await_ledger(scaled)
    scaled.stop("signer")
    asyncio.run(put_back(scaled, Topic.STATE, older))
    assert scaled.run_to_end("signer") == ExitCode.HALTED
    assert "outcome 2" in scaled.log("signer")
    assert len(check(on_kafka(scaled.broker), settled=True).signed) == 2


@pytest.mark.parametrize("topic", [Topic.REGISTRY, Topic.VAULT])
def test_a_topic_without_its_last_record_is_detected(
    scaled: Scaled, trader: Producer, topic: Topic
) -> None:
    for name in ("gates", "signer"):
        scaled.start(name)
    sign(scaled, trader, "first")
    for name in ("gates", "signer"):
        scaled.stop(name)
    asyncio.run(put_back(scaled, topic, raw_records(scaled.broker, topic)[:-1]))
    assert scaled.run_to_end("signer") == ExitCode.HALTED
    assert "newer copy" in scaled.log("signer")


def test_a_stranger_s_record_among_the_state_halts(scaled: Scaled, trader: Producer) -> None:
    for name in ("gates", "signer"):
        scaled.start(name)
    sign(scaled, trader, "first")
    scaled.stop("signer")
    records = raw_records(scaled.broker, Topic.STATE)
    partition, key, value = records[-1]
    forged = (partition, key, value[:-1] + bytes([value[-1] ^ 1]))
    asyncio.run(put_back(scaled, Topic.STATE, [*records, forged]))
    scaled.send([Outgoing(Topic.SUBMITTED, ACCOUNT, trader.signed("second"))])
    assert scaled.run_to_end("signer") == ExitCode.HALTED
    assert len(check(on_kafka(scaled.broker), settled=False).signed) == 1
