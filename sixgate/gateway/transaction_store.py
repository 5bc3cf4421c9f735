"""``reads.db``: the projection of intents and outcomes that the HTTP API reads.

Everything in it comes from the log, so it is deleted and built again if it does not fit this
program or the log. A page of records and the positions after it are committed together: *if the
process ends in between, SQLite discards both, and the page is folded again*. Without a sync at
each commit (``synchronous = NORMAL``) a power failure may lose the last pages, both parts again.
"""

import sqlite3
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import NamedTuple

from schemas.topics import Topic
from sixgate.gateway.database import MODE_PRIVATE

APPLICATION_ID = 0x51A7E004
SCHEMA_VERSION = 2
BUSY_MS_MAX = 10_000
UNVERIFIED, UNPROVEN, REPEATED = "unverified", "unproven", "repeated"
UNDECIDED = (UNVERIFIED, UNPROVEN, "pending")
_CREATE = """
CREATE TABLE log (identity TEXT NOT NULL) STRICT;
CREATE TABLE positions (
  topic TEXT NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL, last BLOB NOT NULL,
  PRIMARY KEY (topic, partition)) STRICT;
CREATE TABLE transactions (
  id TEXT NOT NULL UNIQUE, agent TEXT NOT NULL, idempotency_key TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL, offset INTEGER NOT NULL, partition INTEGER NOT NULL,
  chain_id INTEGER NOT NULL, status TEXT NOT NULL, visible INTEGER NOT NULL,
  transaction_hash TEXT, first TEXT,
  submitted BLOB, reply BLOB, signed BLOB) STRICT;
CREATE INDEX newest ON transactions (agent, created_at_ms, offset, partition) WHERE visible = 1;
CREATE INDEX newest_of_status ON transactions (agent, status, created_at_ms, offset, partition)
  WHERE visible = 1;
CREATE INDEX by_key ON transactions (agent, idempotency_key, created_at_ms, offset, partition);
CREATE INDEX by_hash ON transactions (transaction_hash) WHERE transaction_hash IS NOT NULL;
CREATE INDEX unverified ON transactions (status) WHERE status = 'unverified';
"""
_PLACE = "created_at_ms, offset, partition"
_NAMED = f"""
SELECT chain_id, reply, signed, {_PLACE}, visible, first FROM transactions
WHERE id = ? AND agent = ?
"""  # noqa: S608 - built from constants


class Place(NamedTuple):
    """What orders transactions: the time of the first record, and its offset and partition."""

    created_at_ms: int
    offset: int
    partition: int


class Position(NamedTuple):
    """How far a partition is folded: the next offset, and a digest of the record before it."""

    next: int
    last: bytes


class Shown(NamedTuple):
    """One row for a reply: JSON without the chain, JSON of what reads leave out, and its place."""

    chain_id: int
    reply: bytes
    signed: bytes
    place: Place


class Undecided(NamedTuple):
    """An intent without an outcome: the bytes of its record, and its place."""

    submitted: bytes
    place: Place


class Filter(NamedTuple):
    """Which of an agent's transactions to list; None and no keys do not restrict."""

    before: Place | None = None
    status: str | None = None
    idempotency_keys: tuple[str, ...] = ()


class TransactionStore:
    """One file: one thread writes at a time, any number of threads read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = self._opened()
        self._readers: SimpleQueue[sqlite3.Connection] = SimpleQueue()

    def positions(self) -> dict[tuple[str, int], Position]:
        """Return how far every partition is folded."""
        rows = self._db.execute("SELECT topic, partition, next, last FROM positions")
        return {(topic, partition): Position(*rest) for topic, partition, *rest in rows}

    def log(self) -> str | None:
        """Return the name of the log that the file is built from, or None for a new file."""
        row = self._db.execute("SELECT identity FROM log").fetchone()
        return row[0] if row else None

    def clear(self, log: str) -> None:
        """Delete everything, to begin with a log of this name."""
        with self.writing():
            for table in ("positions", "transactions", "log"):
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - constants
            self._db.execute("INSERT INTO log VALUES (?)", (log,))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Commit everything in a block together."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        # If the process ends before this line, rows and positions of the block are both discarded.
        self._db.execute("COMMIT")

    def advance(self, topic: Topic, partition: int, position: Position) -> None:
        """Store how far a partition is folded; call it in the block that folds its records."""
        statement = "INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?)"
        self._db.execute(statement, (topic.value, partition, *position))

    def add(self, intent_id: str, row: "NewRow") -> None:
        """Store a submitted intent; a copy only makes an unproven one be verified again."""
        statement = f"""
        INSERT INTO transactions (id, agent, idempotency_key, {_PLACE}, chain_id, submitted,
          status, visible) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)
        ON CONFLICT (id) DO UPDATE SET status = excluded.status, submitted = excluded.submitted
        WHERE status = '{UNPROVEN}'
        """  # noqa: S608 - built from constants
        values = (row.agent, row.idempotency_key, *row.place, row.chain_id, row.submitted)
        self._db.execute(statement, (intent_id, *values, UNVERIFIED))

    def undecided(self, intent_id: str) -> Undecided | None:
        """Return an intent without an outcome; None for an unknown or decided one."""
        places = ", ".join("?" * len(UNDECIDED))
        row = self._db.execute(
            f"SELECT submitted, {_PLACE} FROM transactions "  # noqa: S608 - places only
            f"WHERE id = ? AND status IN ({places})",
            (intent_id, *UNDECIDED),
        ).fetchone()
        return Undecided(row[0], Place(*row[1:])) if row else None

    def is_known(self, intent_id: str) -> bool:
        """Return whether there is a row for an intent."""
        query = "SELECT 1 FROM transactions WHERE id = ?"
        return self._db.execute(query, (intent_id,)).fetchone() is not None

    def unverified(self, count_max: int) -> list[tuple[str, Undecided]]:
        """Return intents whose signature nothing has proved yet."""
        rows = self._db.execute(
            f"SELECT id, submitted, {_PLACE} FROM transactions "  # noqa: S608 - constants
            f"WHERE status = '{UNVERIFIED}' LIMIT ?",
            (count_max,),
        )
        return [(row[0], Undecided(row[1], Place(*row[2:]))) for row in rows]

    def show(self, intent_id: str, ready: "Ready") -> None:
        """Make an intent visible with a new status and reply; a decided one keeps no envelope."""
        self._db.execute(
            "UPDATE transactions SET status = ?, visible = 1, transaction_hash = ?, "
            "reply = ?, signed = ?, submitted = iif(? = 'pending', submitted, NULL) WHERE id = ?",
            (*ready, ready.status, intent_id),
        )

    def hide(self, intent_id: str, status: str, first: str | None = None) -> None:
        """Make an intent invisible: unproven, or a repetition of ``first``."""
        statement = "UPDATE transactions SET status = ?, visible = 0, first = ? WHERE id = ?"
        self._db.execute(statement, (status, first, intent_id))

    def same_request(self, intent_id: str, first: str) -> bool:
        """Return whether two intents are of one agent with one idempotency key."""
        query = (
            "SELECT 1 FROM transactions AS a JOIN transactions AS b "
            "ON a.agent = b.agent AND a.idempotency_key = b.idempotency_key "
            "WHERE a.id = ? AND b.id = ?"
        )
        return self._db.execute(query, (intent_id, first)).fetchone() is not None

    @contextmanager
    def reading(self) -> Iterator["Reader"]:
        """Lend a reader on a connection that no other thread uses meanwhile."""
        try:
            connection = self._readers.get_nowait()
        except Empty:
            connection = self._connection()
        try:
            yield Reader(connection)
        finally:
            self._readers.put(connection)

    def close(self) -> None:
        """Close every connection."""
        while not self._readers.empty():
            self._readers.get_nowait().close()
        self._db.close()

    def _opened(self) -> sqlite3.Connection:
        """Open the file; delete it and begin again if it is not of this version, or damaged."""
        try:
            connection = self._connection()
            if _fits(connection):
                return connection
            connection.close()
        except sqlite3.DatabaseError:
            pass
        for name in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + name).unlink(missing_ok=True)
        connection = self._connection()
        if not _fits(connection):
            raise sqlite3.DatabaseError(f"{self._path.name} cannot be created")
        return connection

    def _connection(self) -> sqlite3.Connection:
        self._path.touch(mode=MODE_PRIVATE, exist_ok=True)
        connection = sqlite3.connect(
            self._path, isolation_level=None, timeout=BUSY_MS_MAX / 1000, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection


class NewRow(NamedTuple):
    """The columns of a submitted intent."""

    agent: str
    idempotency_key: str
    place: Place
    chain_id: int
    submitted: bytes | None


class Ready(NamedTuple):
    """The columns of a visible row."""

    status: str
    transaction_hash: str | None
    reply: bytes
    signed: bytes


class Reader(NamedTuple):
    """Queries on one connection."""

    connection: sqlite3.Connection

    def named(self, agent: str, name: str) -> Shown | None:
        """Return an agent's transaction by id or transaction hash.

        A repetition leads to the first intent.
        """
        row = self.connection.execute(_NAMED, (name, agent)).fetchone()
        if row is None:
            return self._one("transaction_hash = ? AND agent = ?", (name, agent))
        visible, first = row[6:]
        if visible:
            return _shown(row[:6])
        return self._one("id = ? AND agent = ?", (first, agent)) if first else None

    def newest(self, agent: str, count_max: int, filters: Filter) -> Generator[Shown]:
        """Yield an agent's transactions, newest first; close it before the reader's next use."""
        wheres = ["agent = ?", "visible = 1"]
        values: list[str | int] = [agent]
        if filters.status is not None:
            wheres.append("status = ?")
            values.append(filters.status)
        if keys := filters.idempotency_keys:
            wheres.append(f"idempotency_key IN ({', '.join('?' * len(keys))})")
            values += keys
        if filters.before is not None:
            wheres.append(f"({_PLACE}) < (?, ?, ?)")
            values += filters.before
        query = (
            f"SELECT chain_id, reply, signed, {_PLACE} FROM transactions "  # noqa: S608 - constants
            f"WHERE {' AND '.join(wheres)} "
            "ORDER BY created_at_ms DESC, offset DESC, partition DESC LIMIT ?"
        )
        yield from map(_shown, self.connection.execute(query, (*values, count_max)))

    def _one(self, where: str, values: tuple[str, ...]) -> Shown | None:
        query = (
            f"SELECT chain_id, reply, signed, {_PLACE} FROM transactions "  # noqa: S608 - constants
            f"WHERE {where} AND visible = 1 LIMIT 1"
        )
        row = self.connection.execute(query, values).fetchone()
        return _shown(row) if row else None


def _shown(row: tuple[int, bytes, bytes, int, int, int]) -> Shown:
    return Shown(row[0], row[1], row[2], Place(*row[3:]))


def _fits(connection: sqlite3.Connection) -> bool:
    """Return whether a file is of this version; create the tables in an empty one."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if (application, version, tables) == (0, 0, 0):
        # One transaction: if the process ends here, the next start begins again.
        connection.executescript(
            f"BEGIN; {_CREATE} PRAGMA application_id = {APPLICATION_ID}; "
            f"PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        )
        return True
    return bool((application, version) == (APPLICATION_ID, SCHEMA_VERSION))
