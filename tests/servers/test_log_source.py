"""The contract of a log that the sink relies on, tested on SQLite files and Kafka."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from schemas.record import Outgoing, PartitionId, Record
from schemas.topics import TOPICS, Topic
from streams.kafka.broker import Broker
from streams.kafka.loop import LoopThread
from streams.ledger.errors import LedgerGapError
from streams.ledger.kafka_source import KafkaSource
from streams.ledger.ordering import LEDGER_TOPICS, advance, by_partition
from streams.ledger.sink import Source
from streams.log.pipeline import PipelineLog
from streams.log.source import INBOX_TOPICS, LogSource
from streams.log.sqlite import SqliteLog, number
from tests.harness.broker.ledger_kafka import PARTITIONS, KafkaWriter, own_topics

ACCOUNTS = ("treasury", "payroll", "savings", "grants")
READS_MAX = 60


class Log(ABC):
    """A log that tests write to, with a ``Source``; ``start`` has the ends at the test's start."""

    source: Source
    start: dict[PartitionId, int]

    @abstractmethod
    def append(self, *events: Outgoing) -> None: ...

    @abstractmethod
    def forget(self, topic: Topic, partition: int, before: int) -> None: ...

    def places(self) -> list[PartitionId]:
        return [
            (topic, partition)
            for topic in LEDGER_TOPICS
            for partition in range(1 if topic in UNKEYED else PARTITIONS)
        ]

    def ends(self) -> dict[PartitionId, int]:
        return {at: self.source.end(*at) for at in self.places()}

    def drain(self, positions: Mapping[PartitionId, int], limit: int = 1000) -> list[Record]:
        """Read to the end as the sink does, checking every step."""
        standing, found = dict(positions), list[Record]()
        for _ in range(READS_MAX):
            records = self.source.read(standing, limit)
            assert len(records) <= limit
            found += records
            standing = advance(by_partition(records), standing, self.source.earliest)
            if not records and len(found) >= self.expected(positions):
                return found
        raise AssertionError("the source never came to its end")

    def expected(self, positions: Mapping[PartitionId, int]) -> int:
        """Return the minimum number of records, if offsets have no gaps."""
        return sum(self.source.end(*at) - positions.get(at, 0) for at in self.places())


UNKEYED = {topic for topic, spec in TOPICS.items() if not spec.keyed}


class SqliteFiles(Log):
    def __init__(self, folder: Path) -> None:
        self.inbox = SqliteLog(folder / "inbox.db", PARTITIONS)
        self.pipeline = PipelineLog(folder / "pipeline.db", PARTITIONS)
        self.folder = folder
        self.source = LogSource(self.inbox, self.pipeline)
        self.start = {}

    def append(self, *events: Outgoing) -> None:
        for event in events:
            log = self.inbox if event.topic in INBOX_TOPICS else self.pipeline
            log.append([event], at_ms=1_790_000_000_000)

    def forget(self, topic: Topic, partition: int, before: int) -> None:
        name = "inbox.db" if topic in INBOX_TOPICS else "pipeline.db"
        with closing(sqlite3.connect(self.folder / name)) as db, db:
            query = "DELETE FROM records WHERE topic = ? AND partition = ? AND offset < ?"
            db.execute(query, (number(topic), partition, before))


class KafkaLog(Log):
    def __init__(self, broker: Broker, loop: LoopThread) -> None:
        self.writer = KafkaWriter(broker)
        self.source = KafkaSource(loop, broker)
        self.start = self.ends()

    def append(self, *events: Outgoing) -> None:
        self.writer.send(events)

    def forget(self, topic: Topic, partition: int, before: int) -> None:
        self.writer.forget(topic, partition, before)

    def next(self, positions: Mapping[PartitionId, int], count: int) -> list[Record]:
        """Read until at least ``count`` records came; one read may return fewer."""
        standing, found = dict(positions), list[Record]()
        for _ in range(READS_MAX):
            records = self.source.read(standing, 100)
            standing = advance(by_partition(records), standing, self.source.earliest)
            found += records
            if len(found) >= count:
                return found
        raise AssertionError(f"{len(found)} of {count} records came")


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with own_topics() as broker:
        yield broker


@pytest.fixture
def kafka_log(broker: Broker) -> Iterator[KafkaLog]:
    with closing(LoopThread("source")) as loop:
        log = KafkaLog(broker, loop)
        yield log
        assert isinstance(log.source, KafkaSource)
        log.source.close()
        log.writer.close()


@pytest.fixture(params=["sqlite", "kafka"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Log]:
    if request.param == "kafka":
        yield request.getfixturevalue("kafka_log")
        return
    files = SqliteFiles(tmp_path)
    yield files
    files.inbox.close()
    files.pipeline.close()


def events(count: int, topics: tuple[Topic, ...] = LEDGER_TOPICS) -> list[Outgoing]:
    return [
        Outgoing(topic, ACCOUNTS[n % len(ACCOUNTS)], b"%s %d" % (topic.encode(), n))
        for n in range(count)
        for topic in topics
    ]


def content(records: list[Record]) -> list[tuple[Topic, str, bytes]]:
    return sorted((record.topic, record.key, record.value) for record in records)


def test_every_record_of_every_topic_is_read_once(log: Log) -> None:
    written = events(7)
    log.append(*written)
    assert content(log.drain(log.start)) == sorted(tuple(event) for event in written)


def test_a_read_is_bounded_and_leaves_nothing_out(log: Log) -> None:
    written = events(20, (Topic.OUTCOMES, Topic.AUDIT))
    log.append(*written)
    assert content(log.drain(log.start, limit=13)) == sorted(tuple(event) for event in written)


def test_each_partition_comes_in_order_from_its_position(log: Log) -> None:
    log.append(*events(10))
    for place, group in by_partition(log.drain(log.start)).items():
        first = log.start.get(place, 0)
        assert [record.offset for record in group] == list(range(first, first + len(group)))


def test_reading_continues_at_the_callers_position(log: Log) -> None:
    log.append(*events(5, (Topic.SUBMITTED,)))
    everything = log.drain(log.start)
    assert sorted(log.drain(log.start)) == sorted(everything)  # partitions come in any order
    behind = advance(by_partition(everything), log.start, log.source.earliest)
    log.append(Outgoing(Topic.SUBMITTED, "treasury", b"later"))
    assert [record.value for record in log.drain(behind)] == [b"later"]


def test_the_end_is_the_next_offset_and_the_beginning_moves_with_retention(log: Log) -> None:
    end = log.source.end(Topic.AUDIT, 0)
    log.append(*(Outgoing(Topic.AUDIT, "", b"%d" % n) for n in range(4)))
    assert log.source.end(Topic.AUDIT, 0) == end + 4
    log.forget(Topic.AUDIT, 0, end + 3)
    log.source.read(log.ends(), 10)
    assert log.source.earliest(Topic.AUDIT, 0) == end + 3


def test_records_deleted_before_they_were_read_are_a_gap(log: Log) -> None:
    start = log.ends()
    log.append(*(Outgoing(Topic.REGISTRY, "", b"%d" % n) for n in range(4)))
    log.forget(Topic.REGISTRY, 0, start[Topic.REGISTRY, 0] + 2)
    with pytest.raises(LedgerGapError, match=r"registry/0 .*offset"):
        log.drain(start)


def test_records_of_one_megabyte_and_of_zero_bytes_are_read(log: Log) -> None:
    start = log.ends()
    values = [b"x" * (1024 * 1024), b""]
    log.append(*(Outgoing(Topic.VAULT, "treasury", value) for value in values))
    assert [record.value for record in log.drain(start)] == values


class TestKafkaAlone:
    """Cases of Kafka only: transactions, null keys and values, positions beyond the log."""

    def test_offsets_of_transaction_markers_are_no_gap(self, kafka_log: KafkaLog) -> None:
        start = kafka_log.ends()
        for n in range(5):
            event = Outgoing(Topic.OUTCOMES, "treasury", b"committed %d" % n)
            kafka_log.writer.transact([event], commit=True)
        records = kafka_log.next(start, 5)
        offsets = [record.offset for record in records]
        assert offsets == sorted(set(offsets))
        assert offsets[-1] - offsets[0] > len(offsets) - 1  # Kafka decides the position of markers
        behind = advance(by_partition(records), start, kafka_log.source.earliest)
        assert kafka_log.source.read(behind, 100) == []
        assert kafka_log.source.end(Topic.OUTCOMES, records[0].partition) == offsets[0] + 10

    def test_an_aborted_record_is_never_seen(self, kafka_log: KafkaLog) -> None:
        start = kafka_log.ends()
        kafka_log.writer.transact([Outgoing(Topic.SIGNED, "treasury", b"no")], commit=False)
        kafka_log.append(Outgoing(Topic.SIGNED, "treasury", b"yes"))
        assert [record.value for record in kafka_log.next(start, 1)] == [b"yes"]

    def test_an_open_transaction_blocks_its_own_partition_only(self, kafka_log: KafkaLog) -> None:
        start = kafka_log.ends()
        kafka_log.writer.hold(Topic.AUDIT, 0, b"held")
        kafka_log.append(Outgoing(Topic.AUDIT, "", b"behind"), Outgoing(Topic.REGISTRY, "", b"go"))
        assert [record.value for record in kafka_log.next(start, 1)] == [b"go"]
        assert kafka_log.source.end(Topic.AUDIT, 0) == start[Topic.AUDIT, 0]
        kafka_log.writer.release()
        start[Topic.REGISTRY, 0] += 1
        found = kafka_log.next(start, 2)
        assert [record.value for record in found] == [b"held", b"behind"]

    @pytest.mark.parametrize("key", [None, b"", b"\xff\xfe", b"caf\xc3\xa9", b"\x00"])
    @pytest.mark.parametrize("value", [None, b"", b"\xff"])
    def test_no_key_and_no_value_stops_the_log(
        self, kafka_log: KafkaLog, key: bytes | None, value: bytes | None
    ) -> None:
        if key is None and value is None:
            return  # the library of these tests cannot send that
        start = kafka_log.ends()
        offset = kafka_log.writer.send_raw(Topic.SUBMITTED, 0, key, value)
        (record,) = kafka_log.next(start, 1)
        assert (record.offset, record.value) == (offset, value or b"")
        assert record.key.encode("utf-8", "surrogateescape") == (key or b"")

    def test_a_position_beyond_the_end_of_the_log_is_refused(self, kafka_log: KafkaLog) -> None:
        beyond = kafka_log.ends()
        beyond[Topic.REGISTRY, 0] += 5
        with pytest.raises(LedgerGapError, match="older than the ledger"):
            kafka_log.drain(beyond)
