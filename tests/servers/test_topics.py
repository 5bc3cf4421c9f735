"""``sixgate topics`` on a real broker: nothing there, something weaker, something in the way."""

import asyncio
from collections.abc import Iterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from infra.local.kafka import Kafka
from schemas.topics import TOPICS, Topic
from sixgate.cli.exit_codes import ExitCode
from streams.kafka.admin import Admin
from streams.kafka.broker import Broker
from streams.kafka.names import Names
from streams.kafka.topics import Replication, declared
from tests.harness.broker.servers import kafka_in, running
from tests.harness.cli.command_line import Ended
from tests.harness.cli.forked import ForkedCommandLine

PARTITIONS = 3
TOPICS_WANTED = declared(PARTITIONS, Replication(1, 1), Names())
CLI = ForkedCommandLine(None)


@pytest.fixture(scope="module")
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    folder = tmp_path_factory.mktemp("kafka-topics")
    with running(lambda: kafka_in(folder), folder) as server:
        yield server


def topics(kafka: Kafka, what: str, partitions: int = PARTITIONS) -> Ended:
    where = ("--kafka", kafka.address, "--replication-factor", "1")
    return CLI.run("topics", what, *where, "--partitions", str(partitions))


def change(kafka: Kafka, topic: Topic, **settings: str) -> None:
    async def run() -> None:
        async with Admin(Broker(kafka.address, "test")) as admin:
            named = {name.replace("_", "."): value for name, value in settings.items()}
            await admin.set({topic.value: named})

    asyncio.run(run())


async def delete(address: str, topic: Topic) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        await admin.delete_topics([topic.value])
    finally:
        await admin.close()


async def create(address: str, topic: Topic, partitions: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        answer = await admin.create_topics([NewTopic(topic.value, partitions, 1)])
        assert [code for _, code, *_ in answer.topic_errors] == [0]
    finally:
        await admin.close()


def test_a_plan_on_an_empty_broker_names_every_topic_and_makes_none(own_kafka: Kafka) -> None:
    for _ in range(2):
        planned = topics(own_kafka, "plan")
        assert planned.code == ExitCode.OK
        assert len(planned.out.splitlines()) == len(TOPICS)
    assert topics(own_kafka, "verify").code == ExitCode.WEAKER


def test_a_topic_in_the_way_stops_everything_before_anything_is_made(own_kafka: Kafka) -> None:
    asyncio.run(create(own_kafka.address, Topic.VAULT, PARTITIONS + 1))
    refused = topics(own_kafka, "apply")
    assert refused.code == ExitCode.WEAKER
    assert f"{Topic.VAULT} has partitions={PARTITIONS + 1}" in refused.sentence
    assert len(topics(own_kafka, "plan").out.splitlines()) >= len(TOPICS)
    asyncio.run(delete(own_kafka.address, Topic.VAULT))


def test_what_was_applied_verifies_and_applying_again_changes_nothing(own_kafka: Kafka) -> None:
    assert topics(own_kafka, "apply").code == ExitCode.OK
    assert topics(own_kafka, "verify").code == ExitCode.OK
    assert topics(own_kafka, "apply").out == ""
    own_kafka.restart()
    assert topics(own_kafka, "verify").code == ExitCode.OK


def test_a_weakened_topic_is_named_and_mended_and_the_operators_own_settings_stay(
    own_kafka: Kafka,
) -> None:
    assert topics(own_kafka, "apply").code == ExitCode.OK
    change(own_kafka, Topic.REGISTRY, retention_ms="1000", segment_ms="3600000")
    found = topics(own_kafka, "verify")
    assert found.code == ExitCode.WEAKER
    assert found.out == "registry has retention.ms=1000: set -1\n"
    assert topics(own_kafka, "apply").code == ExitCode.OK
    assert topics(own_kafka, "verify").code == ExitCode.OK
    assert setting(own_kafka, Topic.REGISTRY, "segment.ms") == "3600000"


def setting(kafka: Kafka, topic: Topic, name: str) -> str:
    async def run() -> str:
        wanted = next(one for one in TOPICS_WANTED if one.name == topic)
        asked = type(wanted)(wanted.name, wanted.partitions, wanted.copies, {name: ""})
        async with Admin(Broker(kafka.address, "test")) as admin:
            return (await admin.topics([asked]))[topic.value].settings[name]

    return asyncio.run(run())


def test_another_partition_count_is_never_changed(own_kafka: Kafka) -> None:
    assert topics(own_kafka, "apply").code == ExitCode.OK
    assert topics(own_kafka, "apply", PARTITIONS + 1).code == ExitCode.WEAKER
    assert topics(own_kafka, "verify").code == ExitCode.OK


def test_a_broker_without_an_authorizer_has_no_rights_to_verify(own_kafka: Kafka) -> None:
    refused = CLI.run("topics", "verify", "--acls", "--kafka", own_kafka.address)
    assert refused.code == ExitCode.WEAKER
    assert "no authorizer" in refused.sentence


def test_nobody_at_the_address_is_one_sentence() -> None:
    refused = CLI.run("topics", "plan", "--kafka", "127.0.0.1:9", "--partitions", "1")
    assert refused.code == ExitCode.UNREACHABLE
    assert len(refused.err.splitlines()) == 1
