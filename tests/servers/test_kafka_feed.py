"""The log on Kafka as a feed: what it reads, how projections use it, and trimmed partitions."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from schemas.partition import partition_of
from schemas.record import Outgoing
from schemas.topics import Topic
from sixgate.backends.kafka.feed import KafkaFeed, kafka_feed
from sixgate.backends.ports import LogFeed
from sixgate.gateway.database import Database
from sixgate.gateway.outcome_order import OutcomeOrder
from sixgate.gateway.transaction_store import Filter
from sixgate.gateway.transactions import Transactions
from sixgate.webhooks.ordered_outcomes import OrderedOutcomes
from streams.kafka.broker import Broker
from streams.kafka.producer import Sender
from streams.kafka.provision import TopicPlan
from streams.kafka.topics import Replication
from tests.harness.broker.shared import own_names
from tests.harness.builders.waiting import until
from tests.harness.pipeline.embedded import ACCOUNT
from tests.harness.pipeline.read_rig import ReadRig
from tools.local.kafka import Kafka

READ = (Topic.SUBMITTED, Topic.OUTCOMES, Topic.AUDIT)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[ReadRig]:
    with closing(ReadRig(tmp_path / "data")) as made:
        yield made


@pytest.fixture
def broker(kafka: Kafka) -> Iterator[Broker]:
    """Yield a broker with the topics of an organisation."""
    with broker_of(kafka) as made:
        yield made


@contextmanager
def broker_of(kafka: Kafka) -> Iterator[Broker]:
    with own_names(kafka) as names:
        broker = Broker(kafka.address, "tests", names=names)
        asyncio.run(TopicPlan(4, Replication(1, 1)).apply(broker))
        yield broker


@pytest.fixture
def feed(broker: Broker) -> Iterator[KafkaFeed]:
    with kafka_feed(broker, READ, 4) as opened:
        yield opened


def send(broker: Broker, *events: Outgoing) -> None:
    async def sent() -> None:
        async with Sender(broker, lambda: 4) as sender:
            await sender.send(events)

    asyncio.run(sent())


def outcomes(*values: bytes) -> list[Outgoing]:
    return [Outgoing(Topic.OUTCOMES, ACCOUNT, value) for value in values]


def values_in(feed: LogFeed, count_max: int = 100) -> list[bytes]:
    """Return what the account's partition of the outcomes holds, read page by page."""
    feed.refresh()
    found: list[bytes] = []
    offset = 0
    while page := feed.read(Topic.OUTCOMES, partition_of(ACCOUNT, 4), offset, count_max):
        found += [record.value for record in page]
        offset = page[-1].offset + 1
    return found


def commit(broker: Broker, batches: Sequence[tuple[bytes, ...]], *, last_is_aborted: bool) -> None:
    """Write batches in one transaction each, as a signer does."""

    async def written() -> None:
        producer: AIOKafkaProducer = broker.producer(transactional_id="tests")
        await producer.start()
        try:
            for number, batch in enumerate(batches, 1):
                await producer.begin_transaction()
                for value in batch:
                    await producer.send_and_wait(
                        broker.names.of(Topic.OUTCOMES), value, partition=partition_of(ACCOUNT, 4)
                    )
                is_aborted = last_is_aborted and number == len(batches)
                await (producer.abort_transaction if is_aborted else producer.commit_transaction)()
        finally:
            await producer.stop()

    asyncio.run(written())


def trim(broker: Broker) -> None:
    """Delete every record of every partition, as retention does."""

    async def trimmed() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker.servers)
        await admin.start()
        try:
            places = [
                broker.names.at(topic, partition)
                for topic in READ
                for partition in range(1 if topic is Topic.AUDIT else 4)
            ]
            await admin.delete_records({at: RecordsToDelete(-1) for at in places})
        finally:
            await admin.close()

    asyncio.run(trimmed())


def copy_log(rig: ReadRig, broker: Broker, since: dict[Any, int]) -> None:
    """Copy what is new in a pipeline's log to Kafka; the offsets there are the same."""
    for topic in READ:
        for partition in range(rig.feed.partitions_of(topic)):
            place = (topic, partition)
            records = rig.feed.read(topic, partition, since.get(place, 0), 1_000)
            send(broker, *(Outgoing(topic, record.key, record.value) for record in records))
            since[place] = since.get(place, 0) + len(records)


def open_projection(rig: ReadRig, feed: LogFeed, path: Path) -> Transactions:
    return Transactions(path, feed, rig)


def shown(transactions: Transactions) -> list[str]:
    transactions.catch_up()
    page = transactions.newest("trader", 1_000, Filter(), include_signed_tx=False)
    replies = map(orjson.loads, page.replies)
    return sorted(f"{reply['id']} {reply['status']}" for reply in replies)


def test_new_records_are_announced(broker: Broker, feed: KafkaFeed) -> None:
    feed.refresh()
    calls: list[bool] = []
    feed.on_change(lambda: calls.append(True))
    send(broker, Outgoing(Topic.AUDIT, "", b"{}"))
    until(lambda: bool(calls))


def test_a_failed_poll_does_not_hide_later_records(broker: Broker, feed: KafkaFeed) -> None:
    polls: list[bool] = []

    def fail() -> None:
        polls.append(True)
        raise ValueError

    feed.on_change(fail)
    send(broker, *outcomes(b"1"))
    until(lambda: bool(polls))
    send(broker, *outcomes(b"2"))
    until(lambda: len(polls) > 1)


def test_feed_reads_what_is_committed_page_by_page(broker: Broker, feed: KafkaFeed) -> None:
    assert values_in(feed) == []
    commit(broker, [(b"1", b"2"), (b"3",), (b"4", b"5"), (b"no",)], last_is_aborted=True)
    for count_max in (100, 1, 2, 3):
        assert values_in(feed, count_max) == [b"1", b"2", b"3", b"4", b"5"]
    send(broker, *outcomes(b"6"))
    assert values_in(feed)[-1:] == [b"6"]
    assert feed.read(Topic.OUTCOMES, partition_of(ACCOUNT, 4), 10_000, 1) == []


def test_version_changes_with_records_and_only_with_them(broker: Broker, feed: KafkaFeed) -> None:
    before = feed.refresh()
    assert (feed.version(), feed.refresh()) == (before, before)
    send(broker, *outcomes(b"1"))
    until(lambda: feed.version() != before)
    assert feed.refresh() == feed.version() != before


def test_read_returns_nothing_that_the_last_refresh_did_not_see(
    broker: Broker, feed: KafkaFeed
) -> None:
    feed.refresh()
    send(broker, *outcomes(b"1"))
    assert feed.read(Topic.OUTCOMES, partition_of(ACCOUNT, 4), 0, 10) == []
    feed.refresh()
    assert len(feed.read(Topic.OUTCOMES, partition_of(ACCOUNT, 4), 0, 10)) == 1


def test_projection_over_kafka_equals_the_one_over_the_files(
    rig: ReadRig, broker: Broker, feed: KafkaFeed, tmp_path: Path
) -> None:
    copied: dict[Any, int] = {}
    with closing(open_projection(rig, feed, tmp_path / "kafka.db")) as projection:
        for key in ("a", "b", "c"):
            rig.pipeline.submit(rig.trader.signed(key))
            rig.pipeline.submit(rig.trader.signed(f"{key}-large", value_wei=10**30))
            copy_log(rig, broker, copied)
            projection.outdate()
            assert shown(projection) == shown(rig.transactions)
            rig.pipeline.drain()
            copy_log(rig, broker, copied)
            projection.outdate()
            assert shown(projection) == shown(rig.transactions)


def test_projection_continues_after_the_log_was_trimmed(
    rig: ReadRig, broker: Broker, feed: KafkaFeed, tmp_path: Path
) -> None:
    copied: dict[Any, int] = {}
    rig.submit(rig.trader.signed("a"), rig.trader.signed("b"))
    copy_log(rig, broker, copied)
    path = tmp_path / "kafka.db"
    with closing(open_projection(rig, feed, path)) as projection:
        before = shown(projection)
    assert len(before) == 2
    trim(broker)
    with closing(open_projection(rig, feed, path)) as projection:
        assert shown(projection) == before
    rig.submit(rig.trader.signed("c"))
    copy_log(rig, broker, copied)
    trim(broker)  # the gateway was stopped for so long that it has never seen this intent
    rig.submit(rig.trader.signed("d"))
    copy_log(rig, broker, copied)
    with closing(open_projection(rig, feed, path)) as projection:
        after = shown(projection)
    assert set(before) < set(after)
    assert len(after) == 3


def test_projection_of_another_log_is_built_again(
    rig: ReadRig, kafka: Kafka, broker: Broker, feed: KafkaFeed, tmp_path: Path
) -> None:
    path = tmp_path / "kafka.db"
    rig.submit(rig.trader.signed("a"), rig.trader.signed("b"))
    copy_log(rig, broker, {})
    with closing(open_projection(rig, feed, path)) as projection:
        assert len(shown(projection)) == 2
    trim(broker)
    with (
        broker_of(kafka) as other,
        kafka_feed(other, READ, 4) as empty,
        closing(open_projection(rig, empty, path)) as projection,
    ):
        assert shown(projection) == []


def test_events_keep_their_numbers_after_a_restart_and_without_the_first_records(
    rig: ReadRig, broker: Broker, feed: KafkaFeed, tmp_path: Path
) -> None:
    copied: dict[Any, int] = {}

    @contextmanager
    def source() -> Iterator[OrderedOutcomes]:
        with closing(Database(tmp_path / "gateway.db")) as database:
            order = OutcomeOrder(database, feed.identity())
            yield OrderedOutcomes(feed, order, rig)

    seen: list[Any] = []
    for number in range(3):
        noise = [Outgoing(Topic.OUTCOMES, f"noise-{i}-{number}", b"{}") for i in range(8)]
        send(broker, *noise)
        rig.submit(rig.trader.signed(f"{number}"))
        copy_log(rig, broker, copied)
        with source() as events:
            end = events.end()
            found = all_after(events, 0)
        assert found[:-1] == seen
        assert end >= found[-1][0]
        seen = found
    trim(broker)
    rig.submit(rig.trader.signed("last"))
    copy_log(rig, broker, copied)
    with source() as events:
        events.end()
        [(number, event)] = all_after(events, 0)
        assert number > seen[-1][0]
        assert all_after(events, number) == []
        assert all_after(events, number - 1) == [(number, event)]


def all_after(events: OrderedOutcomes, number: int) -> list[Any]:
    """Return every event after a number, page by page."""
    found: list[Any] = []
    while page := events.after(found[-1][0] if found else number, 2):
        found += page
    return found
