"""Every principal on every topic of a broker that denies by default: exactly the ACL table."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
from aiokafka.protocol.fetch import FetchRequest

from schemas.topics import PROCESSES, TOPICS, Principal, Topic
from sixgate.cli.exit_codes import ExitCode
from streams.kafka.access import (
    CONSUMER_GROUPS,
    GATES_GROUP,
    SIGNER_TRANSACTIONS,
    Acl,
    Operation,
    Resource,
)
from streams.kafka.broker import Broker, Tls
from streams.kafka.changes import ChangingAdmin
from streams.kafka.differences import topic_differences
from streams.kafka.errors import KafkaDeniedError
from streams.kafka.provision import AccessPlan, TopicPlan
from streams.kafka.topics import Difference, Replication, WrongSetting
from tests.harness.broker.servers import SecureKafka
from tests.harness.cli.forked import ForkedCommandLine

PLAN = TopicPlan(1, Replication(1, 1))
CLI = ForkedCommandLine(None)
EVE = "eve"
SECONDS_MAX = 20
BYTES_MAX = 1 << 20
DENIED = TopicAuthorizationFailedError


def broker_as(secure: SecureKafka, name: str) -> Broker:
    identity = secure.authority.issue(name)
    return Broker(secure.kafka.address, name, Tls(secure.authority.file, identity, identity))


@pytest.fixture(scope="module")
def provisioned(secure_kafka: SecureKafka) -> SecureKafka:
    admin = Tls(secure_kafka.authority.file, secure_kafka.admin, secure_kafka.admin)
    broker = Broker(secure_kafka.kafka.address, "admin", admin)
    asyncio.run(PLAN.apply(broker))
    asyncio.run(AccessPlan().apply(broker))
    return secure_kafka


async def allowed(attempt: Awaitable[object], denial: type[KafkaError]) -> bool:
    try:
        async with asyncio.timeout(SECONDS_MAX):
            await attempt
    except denial:
        return False
    return True


@asynccontextmanager
async def producing(broker: Broker, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
    producer = broker.producer(**options)
    try:
        await producer.start()
        yield producer
    finally:
        await producer.stop()


async def written(broker: Broker) -> set[Topic]:
    """Return the topics that accept a record of this principal."""
    async with producing(broker, enable_idempotence=False) as producer:
        return {topic for topic in Topic if await allowed(send(producer, topic), DENIED)}


async def send(producer: AIOKafkaProducer, topic: Topic) -> None:
    await producer.send_and_wait(topic.value, b"{}", key=b"account", partition=0)


async def fetched(broker: Broker) -> set[Topic]:
    """Return the topics that this principal can read."""
    wanted = [(topic.value, [(0, 0, BYTES_MAX)]) for topic in Topic]
    async with ChangingAdmin(broker) as admin:
        answer = await admin.send(FetchRequest(0, 0, BYTES_MAX, 1, wanted))
    codes = {
        Topic(one["topics"]): part["error_code"]
        for one in answer.to_object()["topics"]
        for part in one["partitions"]
    }
    assert set(codes.values()) <= {0, DENIED.errno}
    return {topic for topic, code in codes.items() if code == 0}


async def transact(broker: Broker, name: str, topic: Topic) -> None:
    async with producing(broker, transactional_id=name) as producer, producer.transaction():
        await producer.send(topic.value, b"{}", key=b"account")


async def join(broker: Broker, group: str, topic: Topic) -> None:
    consumer: AIOKafkaConsumer = broker.consumer(group_id=group, auto_offset_reset="earliest")
    consumer.subscribe([topic.value])
    try:
        await consumer.start()
        await consumer.getmany(timeout_ms=200)
    finally:
        await consumer.stop()


@pytest.mark.parametrize("name", [*Principal, EVE])
def test_a_principal_writes_its_outputs_and_nothing_else(
    provisioned: SecureKafka, name: str
) -> None:
    found = asyncio.run(written(broker_as(provisioned, name)))
    assert found == {topic for topic in Topic if name in TOPICS[topic].writers}


@pytest.mark.parametrize("name", [*Principal, EVE])
def test_a_principal_reads_its_inputs_and_nothing_else(provisioned: SecureKafka, name: str) -> None:
    found = asyncio.run(fetched(broker_as(provisioned, name)))
    assert found == {topic for topic in Topic if name in TOPICS[topic].readers}


def test_an_idempotent_producer_needs_no_other_acl(provisioned: SecureKafka) -> None:
    async def run() -> None:
        async with producing(broker_as(provisioned, Principal.GATES)) as producer:
            await send(producer, Topic.ADMITTED)

    asyncio.run(run())


@pytest.mark.parametrize("name", [*Principal, EVE])
def test_only_the_signer_opens_transactions(provisioned: SecureKafka, name: str) -> None:
    async def run() -> bool:
        attempt = transact(broker_as(provisioned, name), f"{SIGNER_TRANSACTIONS}-0", Topic.OUTCOMES)
        return await allowed(attempt, TransactionalIdAuthorizationFailed)

    assert asyncio.run(run()) == (name == Principal.SIGNER)


@pytest.mark.parametrize(
    ("name", "group", "topic", "may"),
    [
        (Principal.GATES, GATES_GROUP, Topic.SUBMITTED, True),
        (Principal.CONSUMERS, f"{CONSUMER_GROUPS}-wallet", Topic.SIGNED, True),
        (Principal.CONSUMERS, GATES_GROUP, Topic.SIGNED, False),
        (Principal.GATES, f"{CONSUMER_GROUPS}-wallet", Topic.OUTCOMES, False),
        (Principal.OPERATORS, GATES_GROUP, Topic.OUTCOMES, False),
    ],
)
def test_only_its_owner_can_join_a_group(
    provisioned: SecureKafka, name: Principal, group: str, topic: Topic, *, may: bool
) -> None:
    attempt = join(broker_as(provisioned, name), group, topic)
    assert asyncio.run(allowed(attempt, GroupAuthorizationFailedError)) == may


@pytest.mark.parametrize("name", [*Principal, EVE])
def test_processes_can_verify_acls_but_not_change_them(provisioned: SecureKafka, name: str) -> None:
    async def run() -> bool:
        own = Acl(f"User:{name}", Operation.ALL, Resource.TOPIC, "*")
        async with ChangingAdmin(broker_as(provisioned, name)) as admin:
            with pytest.raises(KafkaDeniedError):
                await admin.create_acls([own])
            with pytest.raises(KafkaDeniedError):
                await admin.delete_acls([own])
            try:
                await admin.acls()
            except KafkaDeniedError:
                return False
            return True

    assert asyncio.run(run()) == (name in PROCESSES)


@pytest.mark.parametrize("process", sorted(PROCESSES))
def test_a_process_can_verify_its_own_topics_and_all_acls(
    provisioned: SecureKafka, process: Principal
) -> None:
    broker = broker_as(provisioned, process)

    async def own_topics(replication: Replication) -> list[Difference]:
        async with ChangingAdmin(broker) as admin:
            return await topic_differences(admin, PLAN.partitions, replication, process)

    assert asyncio.run(own_topics(PLAN.replication)) == []
    assert asyncio.run(AccessPlan().differences(broker)) == []
    found = asyncio.run(own_topics(Replication(1, 2)))
    assert {type(one) for one in found} == {WrongSetting}


@pytest.fixture
def admin(provisioned: SecureKafka) -> tuple[str, ...]:
    authority, key = str(provisioned.authority.file), str(provisioned.admin)
    where = ("--acls", "--kafka", provisioned.kafka.address)
    return (*where, "--ca", authority, "--certificate", key, "--key", key)


def give(secure: SecureKafka, acl: Acl) -> None:
    async def run() -> None:
        identity = Tls(secure.authority.file, secure.admin, secure.admin)
        async with ChangingAdmin(Broker(secure.kafka.address, "test", identity)) as connected:
            await connected.create_acls([acl])

    asyncio.run(run())


def test_an_undeclared_acl_is_named_and_removed(
    provisioned: SecureKafka, admin: tuple[str, ...]
) -> None:
    assert CLI.ok("topics", "verify", *admin).out == ""
    give(provisioned, Acl(f"User:{EVE}", Operation.WRITE, Resource.TOPIC, Topic.DECIDED))
    found = CLI.run("topics", "verify", *admin)
    assert found.code == ExitCode.WEAKER
    assert found.out.startswith("User:eve WRITE on topic intents.decided is not declared")
    assert found.out.count("\n") == 1
    assert CLI.ok("topics", "apply", *admin).out == found.out
    assert CLI.ok("topics", "verify", *admin).out == ""
    assert asyncio.run(written(broker_as(provisioned, EVE))) == set()


def test_a_principal_that_may_not_read_acls_gets_an_error(
    provisioned: SecureKafka, admin: tuple[str, ...]
) -> None:
    identity = str(provisioned.authority.issue(Principal.CONSUMERS))
    refused = CLI.run("topics", "plan", *admin[:-4], "--certificate", identity, "--key", identity)
    assert refused.code == ExitCode.REFUSED
    assert "certificate" in refused.sentence
