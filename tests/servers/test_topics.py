"""``sixgate topics`` on a real broker: missing, weaker and conflicting topics."""

import asyncio
from collections.abc import Iterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.topics import TOPICS, Topic
from sixgate.cli.exit_codes import ExitCode
from streams.kafka.broker import Broker
from streams.kafka.changes import ChangingAdmin
from streams.kafka.topics import KafkaTopic
from tests.harness.broker.ledger_kafka import delete_topics, own_broker
from tests.harness.broker.topics import create_topics
from tests.harness.cli.command_line import Ended
from tests.harness.cli.forked import ForkedCommandLine
from tools.local.kafka import Kafka

PARTITIONS = 3
CLI = ForkedCommandLine(None)


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    """Yield names on a broker without topics."""
    with own_broker() as broker:
        yield broker


def topics(broker: Broker, what: str, partitions: int = PARTITIONS) -> Ended:
    prefix = ("--prefix", broker.names.prefix)
    where = ("--kafka", broker.servers, *prefix, "--replication-factor", "1")
    return CLI.run("topics", what, *where, "--partitions", str(partitions))


def change(broker: Broker, topic: Topic, **settings: str) -> None:
    async def run() -> None:
        async with ChangingAdmin(broker) as admin:
            named = {name.replace("_", "."): value for name, value in settings.items()}
            await admin.alter_topics({broker.names.of(topic): named})

    asyncio.run(run())


async def create(broker: Broker, topic: Topic, partitions: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.servers)
    await admin.start()
    try:
        await create_topics(admin, [NewTopic(broker.names.of(topic), partitions, 1)])
    finally:
        await admin.close()


def test_a_plan_on_an_empty_broker_names_every_topic_and_makes_none(broker: Broker) -> None:
    for _ in range(2):
        planned = topics(broker, "plan")
        assert planned.code == ExitCode.OK
        assert len(planned.out.splitlines()) == len(TOPICS)
    assert topics(broker, "verify").code == ExitCode.WEAKER


def test_a_conflicting_topic_stops_apply_before_it_creates_anything(broker: Broker) -> None:
    asyncio.run(create(broker, Topic.VAULT, PARTITIONS + 1))
    refused = topics(broker, "apply")
    assert refused.code == ExitCode.WEAKER
    assert f"{Topic.VAULT} has partitions={PARTITIONS + 1}" in refused.sentence
    assert len(topics(broker, "plan").out.splitlines()) >= len(TOPICS)
    asyncio.run(delete_topics(broker, Topic.VAULT))


def test_applied_topics_verify_and_apply_is_idempotent(kafka: Kafka, broker: Broker) -> None:
    assert topics(broker, "apply").code == ExitCode.OK
    assert topics(broker, "verify").code == ExitCode.OK
    assert topics(broker, "apply").out == ""
    kafka.restart()
    assert topics(broker, "verify").code == ExitCode.OK


def test_a_weakened_topic_is_named_and_repaired_and_other_settings_stay(
    broker: Broker,
) -> None:
    assert topics(broker, "apply").code == ExitCode.OK
    change(broker, Topic.REGISTRY, retention_ms="1000", segment_ms="3600000")
    found = topics(broker, "verify")
    assert found.code == ExitCode.WEAKER
    assert found.out == f"{broker.names.prefix}registry has retention.ms=1000: set -1\n"
    assert topics(broker, "apply").code == ExitCode.OK
    assert topics(broker, "verify").code == ExitCode.OK
    assert setting(broker, Topic.REGISTRY, "segment.ms") == "3600000"


def setting(broker: Broker, topic: Topic, name: str) -> str:
    async def run() -> str:
        asked = KafkaTopic(broker.names.of(topic), PARTITIONS, 1, {name: ""})
        async with ChangingAdmin(broker) as admin:
            return (await admin.topics([asked]))[asked.name].settings[name]

    return asyncio.run(run())


def test_another_partition_count_is_never_changed(broker: Broker) -> None:
    assert topics(broker, "apply").code == ExitCode.OK
    assert topics(broker, "apply", PARTITIONS + 1).code == ExitCode.WEAKER
    assert topics(broker, "verify").code == ExitCode.OK


def test_a_broker_without_an_authorizer_has_no_acls_to_verify(broker: Broker) -> None:
    refused = CLI.run("topics", "verify", "--acls", "--kafka", broker.servers)
    assert refused.code == ExitCode.WEAKER
    assert "authorizer.class.name" in refused.sentence


def test_an_absent_broker_is_reported_in_one_sentence() -> None:
    refused = CLI.run("topics", "plan", "--kafka", "127.0.0.1:9", "--partitions", "1")
    assert refused.code == ExitCode.UNREACHABLE
    assert len(refused.err.splitlines()) == 1
