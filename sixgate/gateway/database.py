"""``gateway.db``: what the HTTP API remembers and the registry does not have.

Descriptions, display names, hashes of API keys, revoked tokens, vault ids. None of it gives
authority to sign: the registry and the signer decide.
"""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

APPLICATION_ID = 0x51A7E003
BUSY_MS_MAX = 10_000
MODE_PRIVATE = 0o600


class Database:
    """One SQLite file; any thread may call. Each store creates its own tables."""

    def __init__(self, path: Path) -> None:
        path.touch(mode=MODE_PRIVATE, exist_ok=True)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(
            path, isolation_level=None, timeout=BUSY_MS_MAX / 1000, check_same_thread=False
        )
        self._db.row_factory = sqlite3.Row
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            f"application_id = {APPLICATION_ID}",
        ):
            self._db.execute(f"PRAGMA {pragma}")

    def create(self, statements: str) -> None:
        """Run ``CREATE … IF NOT EXISTS`` statements."""
        with self._lock:
            self._db.executescript(statements)

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        with self._lock:
            return self._db.execute(query, values).fetchall()

    def row(self, query: str, values: Sequence[Any] = ()) -> sqlite3.Row | None:
        """Return the first row of a query, or None."""
        with self._lock:
            found: sqlite3.Row | None = self._db.execute(query, values).fetchone()
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
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            # If the process ends before this line, SQLite discards the transaction.
            self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
