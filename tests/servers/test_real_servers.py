"""Properties of real servers that the tests rely on: they answer, and a kill loses nothing."""

import asyncio
from uuid import uuid4

import clickhouse_connect
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError

from tests.harness.broker.servers import RealClickHouse, RealServer, SecureKafka
from tests.harness.broker.topics import create_topics
from tools.local.certificates import client_context
from tools.local.kafka import Kafka

MESSAGES = [b"one", b"two", b"three"]


async def make_topic(address: str, copies: int = 1) -> str:
    name = f"contract-{uuid4().hex}"
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        await create_topics(admin, [NewTopic(name, 1, copies)])
    finally:
        await admin.close()
    return name


async def send(address: str, topic: str, *, commit: bool = True) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=address, transactional_id=f"{topic}-writer")
    await producer.start()
    try:
        await producer.begin_transaction()
        for message in MESSAGES:
            await producer.send_and_wait(topic, message)
        await (producer.commit_transaction() if commit else producer.abort_transaction())
    finally:
        await producer.stop()


async def read(address: str, topic: str, count: int) -> list[bytes | None]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=address, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        async with asyncio.timeout(60):
            return [(await consumer.getone()).value for _ in range(count)]
    finally:
        await consumer.stop()


def test_a_committed_transaction_is_read_and_an_aborted_one_is_not(kafka: Kafka) -> None:
    async def run() -> None:
        topic = await make_topic(kafka.address)
        await send(kafka.address, topic, commit=False)
        await send(kafka.address, topic)
        assert await read(kafka.address, topic, len(MESSAGES)) == MESSAGES

    asyncio.run(run())


def test_a_killed_broker_comes_back_with_every_committed_record(kafka: Kafka) -> None:
    topic = asyncio.run(make_topic(kafka.address))
    asyncio.run(send(kafka.address, topic))
    kafka.kill()
    kafka.start()
    asyncio.run(send(kafka.address, topic))
    assert asyncio.run(read(kafka.address, topic, 6)) == MESSAGES * 2


def test_a_cluster_that_lost_a_node_accepts_and_keeps_records(kafka_cluster: Kafka) -> None:
    topic = asyncio.run(make_topic(kafka_cluster.address, copies=3))
    # The first transaction creates the topic of transaction states, which needs all three nodes.
    asyncio.run(send(kafka_cluster.address, topic, commit=False))
    kafka_cluster.nodes[0].kill()
    try:
        asyncio.run(send(kafka_cluster.address, topic))
    finally:
        kafka_cluster.start()
    assert asyncio.run(read(kafka_cluster.address, topic, len(MESSAGES))) == MESSAGES


def test_a_client_without_a_certificate_does_not_reach_the_secure_broker(
    secure_kafka: SecureKafka,
) -> None:
    async def reach() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=secure_kafka.kafka.address)
        try:
            await admin.start()
        finally:
            await admin.close()

    with pytest.raises(KafkaConnectionError):
        asyncio.run(reach())


def test_the_admin_reaches_the_secure_broker_by_certificate(secure_kafka: SecureKafka) -> None:
    async def reach() -> list[str]:
        admin = AIOKafkaAdminClient(
            bootstrap_servers=secure_kafka.kafka.address,
            security_protocol="SSL",
            ssl_context=client_context(secure_kafka.authority.file, secure_kafka.admin),
        )
        await admin.start()
        try:
            return list(await admin.list_topics())
        finally:
            await admin.close()

    assert isinstance(asyncio.run(reach()), list)


def test_rows_survive_a_killed_clickhouse(clickhouse: RealClickHouse) -> None:
    database = f"contract_{uuid4().hex}"
    with clickhouse_connect.get_client(port=clickhouse.port, host="127.0.0.1") as client:
        client.command(f"CREATE DATABASE {database}")
        client.command(
            f"CREATE TABLE {database}.t (n UInt64) ENGINE = MergeTree ORDER BY n "
            "SETTINGS fsync_after_insert = 1"
        )
        client.command(f"INSERT INTO {database}.t VALUES (1), (2)")  # noqa: S608 - our own name
    clickhouse.kill()
    clickhouse.start()
    with clickhouse_connect.get_client(port=clickhouse.port, host="127.0.0.1") as client:
        found = client.query(f"SELECT n FROM {database}.t ORDER BY n")  # noqa: S608 - our own name
        assert found.result_rows == [(1,), (2,)]


@pytest.fixture(params=["kafka", "clickhouse"])
def server(request: pytest.FixtureRequest) -> RealServer:
    found: RealServer = request.getfixturevalue(request.param)
    return found


def test_a_paused_server_resumes(server: RealServer) -> None:
    server.pause()
    server.resume()
    server.start()


def test_a_stopped_server_starts_again_at_the_same_address(server: RealServer) -> None:
    before = server.address
    server.restart()
    assert server.address == before
