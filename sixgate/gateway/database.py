"""``gateway.db``: what the HTTP API remembers and the registry does not have.

Descriptions, display names, hashes of API keys, revoked tokens, vault ids. None of it gives
authority to sign: the registry and the signer decide.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

APPLICATION_ID = 0x51A7E003
BUSY_MS_MAX = 10_000
MODE_PRIVATE, MODE_PRIVATE_FOLDER = 0o600, 0o700
CACHED_COUNT_MAX = 10_000
_Value = TypeVar("_Value")


class Database:
    """One SQLite file; any thread may call. Each store creates its own tables.

    Reads have a connection of their own and never wait for a write: every request is
    authenticated with a read on the event loop. Within ``transaction`` a thread reads its own
    writes.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=MODE_PRIVATE_FOLDER, exist_ok=True)
        path.touch(mode=MODE_PRIVATE, exist_ok=True)
        self._lock, self._reading = threading.RLock(), threading.Lock()
        self._writer: int | None = None  # the thread in ``transaction``
        self._db, self._reader = _connected(path), _connected(path)
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            f"application_id = {APPLICATION_ID}",
        ):
            self._db.execute(f"PRAGMA {pragma}")
        self._reader.execute("PRAGMA query_only = ON")

    def create(self, statements: str) -> None:
        """Run ``CREATE … IF NOT EXISTS`` statements."""
        with self._lock:
            self._db.executescript(statements)

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        if self._writer == threading.get_ident():
            return self._db.execute(query, values).fetchall()
        with self._reading:
            return self._reader.execute(query, values).fetchall()

    def row(self, query: str, values: Sequence[Any] = ()) -> sqlite3.Row | None:
        """Return the first row of a query, or None."""
        found = self.rows(query, values)
        return found[0] if found else None

    def version(self) -> int | None:
        """Return a number that changes with every commit, also of another process; cheap.

        None within ``transaction``: what this thread reads there is not committed.
        """
        if self._writer == threading.get_ident():
            return None
        with self._reading:
            found: int = self._reader.execute("PRAGMA data_version").fetchone()[0]
        return found

    def write(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Run one statement, durable on return; return the number of changed rows."""
        with self._lock:
            return self._db.execute(statement, values).rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run a block as one transaction: durable at its end, undone by an exception."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            self._writer = threading.get_ident()
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            finally:
                self._writer = None
            # If the process ends before this line, SQLite discards the transaction.
            self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the file; the writer's connection last, because it moves the log into the file."""
        with self._lock, self._reading:
            self._reader.close()
            self._db.close()


class UntilChanged(Generic[_Value]):
    """Values that were read from a database, until anybody changes it; any thread may call."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # A value read before a change is stored in the dictionary of the version before it.
        self._cached: tuple[int | None, dict[str, _Value]] = (None, {})

    def get(self, key: str, read: Callable[[], _Value]) -> _Value:
        """Return the value of a key, from ``read`` unless it is known for this version."""
        version = self._database.version()
        if version is None:
            return read()
        known_version, known = self._cached
        if version != known_version or len(known) >= CACHED_COUNT_MAX:
            known = {}
            self._cached = (version, known)
        if key not in known:
            known[key] = read()
        return known[key]


def _connected(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(
        path, isolation_level=None, timeout=BUSY_MS_MAX / 1000, check_same_thread=False
    )
    db.row_factory = sqlite3.Row
    return db
