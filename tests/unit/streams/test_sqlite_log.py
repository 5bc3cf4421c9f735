"""The embedded log: topics, partitions and offsets in a file."""

import sqlite3
import threading
from pathlib import Path

import pytest

from schemas.partition import partition_of
from schemas.record import Outgoing
from schemas.topics import TOPICS, Topic
from signer.stage.state import StateKey, StateWrite
from streams.log.errors import LogDamagedError, LogWriteError
from streams.log.pipeline import PipelineLog
from streams.log.source import LogSource
from streams.log.sqlite import SqliteLog

PARTITIONS = 4
ACCOUNT = "treasury"
HOME = partition_of(ACCOUNT, PARTITIONS)


@pytest.fixture
def log(tmp_path: Path) -> SqliteLog:
    return SqliteLog(tmp_path / "log.db", PARTITIONS)


@pytest.fixture
def pipeline(tmp_path: Path) -> PipelineLog:
    return PipelineLog(tmp_path / "pipeline.db", PARTITIONS)


def out(number: int, topic: Topic = Topic.SUBMITTED, key: str = ACCOUNT) -> Outgoing:
    return Outgoing(topic, key, b"%d" % number)


def test_records_of_an_account_get_dense_offsets_in_its_partition(log: SqliteLog) -> None:
    log.append([out(0), out(1)], 5)
    log.append([out(2)], 6)
    records = log.read(Topic.SUBMITTED, HOME, 0, 10)
    assert [(r.offset, r.value, r.at_ms, r.key) for r in records] == [
        (0, b"0", 5, ACCOUNT),
        (1, b"1", 5, ACCOUNT),
        (2, b"2", 6, ACCOUNT),
    ]
    assert [r.offset for r in log.read(Topic.SUBMITTED, HOME, 1, 1)] == [1]
    assert (log.end(Topic.SUBMITTED, HOME), log.earliest(Topic.SUBMITTED, HOME)) == (3, 0)


def test_every_partition_counts_its_own_offsets(log: SqliteLog) -> None:
    other = next(k for k in "abcdefgh" if partition_of(k, PARTITIONS) != HOME)
    log.append([out(0), out(1, key=other), out(2, topic=Topic.REGISTRY, key="")], 1)
    assert log.end(Topic.SUBMITTED, HOME) == 1
    assert log.end(Topic.SUBMITTED, partition_of(other, PARTITIONS)) == 1
    assert log.end(Topic.REGISTRY, 0) == 1


def test_two_connections_appending_never_share_an_offset(tmp_path: Path) -> None:
    SqliteLog(tmp_path / "log.db", PARTITIONS).close()

    def append(writer: int) -> None:
        log = SqliteLog(tmp_path / "log.db", PARTITIONS)
        for number in range(10):
            log.append([out(100 * writer + number)], 1)
        log.close()

    writers = [threading.Thread(target=append, args=(writer,)) for writer in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    records = SqliteLog(tmp_path / "log.db", PARTITIONS).read(Topic.SUBMITTED, HOME, 0, 1000)
    assert [r.offset for r in records] == list(range(40))
    assert len({r.value for r in records}) == 40


def test_a_failed_batch_is_rolled_back(pipeline: PipelineLog) -> None:
    bad = StateWrite(StateKey("a", "live", "k"), value=object())  # type: ignore[arg-type] # what SQLite refuses
    with pytest.raises(LogDamagedError):
        pipeline.commit([out(0, Topic.DECIDED)], [bad], 1)
    assert pipeline.end(Topic.DECIDED, HOME) == 0
    pipeline.commit([out(0, Topic.DECIDED)], [], 1)
    assert pipeline.end(Topic.DECIDED, HOME) == 1


def test_signed_transactions_are_found_by_position(pipeline: PipelineLog) -> None:
    pipeline.commit([out(0, Topic.SIGNED), out(1, Topic.DECIDED), out(2, Topic.SIGNED)], [], 1)
    pipeline.commit([out(3, Topic.SIGNED)], [], 2)
    found = pipeline.signed_after(0, 10)
    assert [value for _, value in found] == [b"0", b"2", b"3"]
    assert pipeline.signed_after(found[1][0], 10) == found[2:]


def test_a_follower_of_signed_transactions_misses_none_when_the_clock_steps_back(
    pipeline: PipelineLog,
) -> None:
    for n, at_ms in enumerate((5, 9, 3, 9, 1)):
        pipeline.commit([out(n, Topic.SIGNED)], [], at_ms)
    followed, position = [], 0
    while page := pipeline.signed_after(position, 2):
        followed += [value for _, value in page]
        position = page[-1][0]
    assert followed == [b"0", b"1", b"2", b"3", b"4"]


def test_the_source_reads_both_files_and_misses_nothing(
    log: SqliteLog, pipeline: PipelineLog
) -> None:
    log.append([out(n) for n in range(30)], 1)
    pipeline.commit([out(n, Topic.OUTCOMES) for n in range(30)], [], 1)
    source = LogSource(log, pipeline)
    positions: dict[tuple[Topic, int], int] = {}
    seen = []
    while records := source.read(positions, 200):
        seen += [(r.topic, r.offset) for r in records]
        for r in records:
            positions[(r.topic, r.partition)] = r.offset + 1
    assert sorted(seen) == sorted(
        [(topic, n) for topic in (Topic.SUBMITTED, Topic.OUTCOMES) for n in range(30)]
    )


def test_every_topic_of_the_embedded_pipeline_has_a_number(pipeline: PipelineLog) -> None:
    elsewhere = {Topic.STATE, Topic.REGISTRY_HEADS}  # stored in a separate table; only on Kafka
    for topic in TOPICS.keys() - elsewhere:
        pipeline.commit([out(0, topic)], [], 1)


@pytest.mark.parametrize(("pragma", "value"), [("user_version", 99), ("application_id", 7)])
def test_a_file_of_another_version_is_refused(tmp_path: Path, pragma: str, value: int) -> None:
    SqliteLog(tmp_path / "log.db", PARTITIONS).close()
    db = sqlite3.connect(tmp_path / "log.db")
    db.execute(f"PRAGMA {pragma} = {value}")
    db.close()
    with pytest.raises(LogDamagedError, match=r"\(format \d+, .*\)"):
        SqliteLog(tmp_path / "log.db", PARTITIONS)


def test_a_foreign_database_is_refused_and_not_changed(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "log.db")
    db.execute("CREATE TABLE theirs (x)")
    db.commit()
    db.close()
    with pytest.raises(LogDamagedError):
        SqliteLog(tmp_path / "log.db", PARTITIONS)


def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(LogWriteError, match=r"cannot be opened|writable"):
        SqliteLog(tmp_path / "nowhere" / "log.db", PARTITIONS)
