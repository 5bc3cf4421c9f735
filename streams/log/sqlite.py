"""A log of topics, partitions and offsets in one SQLite file; durable when ``append`` returns.

1. ``transaction`` takes the write lock (BEGIN IMMEDIATE); other writers wait.
2. ``insert`` assigns each record the next offset of its partition.
   *If the process ends here, SQLite discards the transaction, and its offsets are given to other
   records.*
3. COMMIT syncs the write-ahead log (synchronous = FULL). *If the process ends after that, the
   records are durable.*
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any

from schemas.partition import partition_of
from schemas.record import Outgoing, Record
from schemas.topics import TOPICS, Topic
from streams.log.errors import LogDamagedError, translated

SCHEMA_VERSION = 2
APPLICATION_ID = 0x51A7E001
PAGE_BYTES = 16_384
BUSY_MS_MAX = 10_000
OFFSET_MAX = 2**53 - 2
CACHE_KIB = 65_536
SCAN_COUNT = 1_000
# The largest batch that a runner takes of one partition, with records of the maximum size.
READ_BYTES_MAX = 32 * 1024 * 1024
_NUMBER = {
    Topic.SUBMITTED: 0,
    Topic.UNATTRIBUTED: 1,
    Topic.ADMITTED: 2,
    Topic.ALLOWLISTED: 3,
    Topic.CAPPED: 4,
    Topic.WITHIN_LIMIT: 5,
    Topic.CHAIN_CLEARED: 6,
    Topic.DECIDED: 7,
    Topic.OUTCOMES: 8,
    Topic.SIGNED: 9,
    Topic.REGISTRY: 11,
    Topic.KEY_REQUESTS: 12,
    Topic.VAULT: 13,
    Topic.HEADS: 14,
    Topic.AUDIT: 15,
    Topic.BOOTS: 16,
    Topic.RELEASES: 17,
    Topic.API_CALLS: 18,
}
_CREATE = """
CREATE TABLE records (
  position INTEGER PRIMARY KEY,
  topic INTEGER NOT NULL, partition INTEGER NOT NULL CHECK (partition >= 0),
  offset INTEGER NOT NULL CHECK (offset BETWEEN 0 AND 9007199254740990),
  key TEXT NOT NULL, value BLOB NOT NULL,
  at_ms INTEGER NOT NULL CHECK (at_ms BETWEEN 0 AND 9007199254740991)) STRICT;
CREATE UNIQUE INDEX records_by_place ON records (topic, partition, offset);
"""


class SqliteLog:
    """One connection to a log file, used by one thread at a time."""

    def __init__(self, path: Path, partitions: int, create: str = "") -> None:
        self.path = path
        self.partitions = partitions
        with translated(path):
            self._db = sqlite3.connect(
                path, isolation_level=None, timeout=BUSY_MS_MAX / 1000, check_same_thread=False
            )
            self._db.text_factory = _text
            self._prepare(_CREATE + create)

    def append(self, events: Sequence[Outgoing], at_ms: int) -> None:
        """Append events durably, all or nothing (steps 1 to 3)."""
        # 1. and 3. Entering the transaction takes the lock; leaving it commits or rolls back.
        with translated(self.path), self.transaction():
            self.insert(events, at_ms)

    def insert(self, events: Sequence[Outgoing], at_ms: int) -> None:
        """Append events within the caller's ``transaction`` (step 2)."""
        # 2. The write lock is held, so no other connection can take these offsets meanwhile.
        ends: dict[tuple[Topic, int], int] = {}
        rows = []
        for event in events:
            place = (event.topic, self._partition(event))
            offset = ends[place] if place in ends else self.end(*place)
            ends[place] = offset + 1
            rows.append((number(event.topic), place[1], offset, event.key, event.value, at_ms))
        self._db.executemany("INSERT INTO records VALUES (NULL, ?, ?, ?, ?, ?, ?)", rows)

    def read(self, topic: Topic, partition: int, offset: int, count_max: int) -> list[Record]:
        """Return up to ``count_max`` records of a partition from ``offset`` on.

        The last one is the record whose size makes the total exceed ``READ_BYTES_MAX``.
        """
        query = (
            "SELECT offset, key, value, at_ms FROM records WHERE topic = ? AND partition = ? "
            "AND offset BETWEEN ? AND ? ORDER BY offset LIMIT ?"
        )
        places = (number(topic), partition, offset, OFFSET_MAX, count_max)
        records: list[Record] = []
        size_bytes = 0
        with translated(self.path), closing(self._db.execute(query, places)) as rows:
            while size_bytes <= READ_BYTES_MAX and (row := rows.fetchone()):
                records.append(Record(topic, partition, *row))
                size_bytes += len(records[-1].value)
        return records

    def scan(self, topic: Topic, partition: int, end: int | None = None) -> Iterator[Record]:
        """Yield a partition's records from its first one to ``end`` (excluded) or to its end."""
        offset, stop = 0, self.end(topic, partition) if end is None else end
        while offset < stop and (page := self.read(topic, partition, offset, SCAN_COUNT)):
            yield from (record for record in page if record.offset < stop)
            offset = page[-1].offset + 1

    def end(self, topic: Topic, partition: int) -> int:
        """Return the offset that the next record of a partition will get."""
        found = self._bound("max", topic, partition)
        return 0 if found is None else found + 1

    def earliest(self, topic: Topic, partition: int) -> int:
        """Return the first offset that the log still holds, or 0 if it is empty."""
        return self._bound("min", topic, partition) or 0

    def transaction(self) -> "Transaction":
        """Return a context that commits durably, or rolls back if its body raises."""
        return Transaction(self._db)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def partitions_of(self, topic: Topic) -> int:
        """Return the number of partitions of a topic."""
        return self.partitions if TOPICS[topic].keyed else 1

    def _bound(self, which: str, topic: Topic, partition: int) -> int | None:
        query = (
            f"SELECT {which}(offset) FROM records "  # noqa: S608 - a constant
            "WHERE topic = ? AND partition = ? AND offset <= ?"
        )
        found: int | None = self._rows(query, (number(topic), partition, OFFSET_MAX))[0][0]
        return found

    def _rows(self, query: str, values: Iterable[object]) -> list[tuple[Any, ...]]:
        with translated(self.path):
            return self._db.execute(query, tuple(values)).fetchall()

    def _partition(self, event: Outgoing) -> int:
        return _partition(event.key, self.partitions) if TOPICS[event.topic].keyed else 0

    def _prepare(self, create: str) -> None:
        self._db.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA secure_delete = ON")  # overwrites deleted and replaced content
        self._db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        # One transaction for tables and version: if the process ends here, the next start begins
        # again.
        with self.transaction():
            version, application = self._version()
            if (version, application) == (0, 0) and not self._tables():
                for statement in filter(str.strip, create.split(";")):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
                self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            elif (version, application) != (SCHEMA_VERSION, APPLICATION_ID):
                raise LogDamagedError(
                    f"{self.path.name} was made by another version of this program "
                    f"(format {version}, this is {SCHEMA_VERSION}): use that version"
                )

    def _version(self) -> tuple[int, int]:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        return version, self._db.execute("PRAGMA application_id").fetchone()[0]

    def _tables(self) -> int:
        count: int = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        return count


class Transaction:
    """A write transaction: commits at the end, or rolls back if its body raises."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        # 1. IMMEDIATE: upgrading a read lock later could fail with SQLITE_BUSY instead of waiting.
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, _value: object, _trace: object) -> None:
        if kind is None:
            # 3. Returns after the sync, so the commit survives a power failure. A failed sync rolls
            # back in this process only: the frame may be in the WAL, so after a restart the records
            # may be there. The outcome is unknown, and the error ends the process.
            self._db.execute("COMMIT")
        elif self._db.in_transaction:
            self._db.execute("ROLLBACK")


def number(topic: Topic) -> int:
    """Return the number that stands for a topic in the file; it must never change."""
    return _NUMBER[topic]


def _text(raw: bytes) -> str:
    """Read text that may be invalid UTF-8 after tampering; checks refuse it later, not here."""
    return raw.decode("utf-8", "replace")


@lru_cache(maxsize=65_536)
def _partition(key: str, partitions: int) -> int:
    return partition_of(key, partitions)
