"""``pipeline.db``: the pipeline's log and the signer's authenticated state in one SQLite file.

``commit`` stores the records and the state of one batch in one transaction:

1. Take the write lock and check that no other connection changed the file.
2. Insert the records; store and delete state. *If the process ends here, SQLite discards the
   transaction.*
3. COMMIT syncs the file. *If the process ends after that, both are durable, and neither is ahead of
   the other.*
"""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from schemas.record import Outgoing
from schemas.topics import Topic
from signer.stage.state import StateIntegrityError, StateKey, StateWrite
from streams.log.errors import translated
from streams.log.sqlite import SqliteLog, number

_CREATE = """
CREATE TABLE state (
  place BLOB NOT NULL UNIQUE, account TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL,
  value BLOB NOT NULL, pending INTEGER NOT NULL, forget_at_ms INTEGER);
CREATE INDEX state_live ON state (account, forget_at_ms) WHERE kind = 'live';
CREATE INDEX state_pending ON state (account) WHERE pending = 1;
"""
# The topic is a literal in both: SQLite does not use a partial index if it is a parameter.
_SIGNED = f"topic = {number(Topic.SIGNED)}"
_CREATE_SIGNED = f"CREATE INDEX records_signed ON records (position) WHERE {_SIGNED};"
_SIGNED_AFTER = f"""
SELECT position, value FROM records INDEXED BY records_signed
WHERE {_SIGNED} AND position > ? ORDER BY position LIMIT ?
"""  # noqa: S608 - built from constants
_PUT = """
INSERT INTO state VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (place) DO UPDATE SET
  value = excluded.value, pending = excluded.pending, forget_at_ms = excluded.forget_at_ms
"""


class PipelineLog(SqliteLog):
    """The pipeline's log with a ``StateStore`` in the same file."""

    def __init__(self, path: Path, partitions: int) -> None:
        super().__init__(path, partitions, _CREATE + _CREATE_SIGNED)
        with translated(path):
            self._version_seen = self._db.execute("PRAGMA data_version").fetchone()[0]

    def commit(self, events: Sequence[Outgoing], writes: Sequence[StateWrite], at_ms: int) -> None:
        """Append events and store state durably, all or nothing (steps 1 to 3)."""
        # 3. The end of the transaction's context commits, or rolls back if step 1 or 2 raised.
        with translated(self.path), self.transaction():
            # 1. Under the write lock, so that no writer can come between check and commit.
            self._refuse_other_writer()
            # 2. Not visible to other connections before the commit.
            self.insert(events, at_ms)
            puts = [_row(w) for w in writes if w.value is not None]
            drops = [(_place(w.key),) for w in writes if w.value is None]
            self._db.executemany(_PUT, puts)
            self._db.executemany("DELETE FROM state WHERE place = ?", drops)

    def _refuse_other_writer(self) -> None:
        """Raise ``StateIntegrityError`` if another connection changed the file."""
        # SQLite changes data_version for every commit of another connection, never for our own.
        version = self._db.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version_seen:
            raise StateIntegrityError(
                f"{self.path.name} was changed by another program while the signer ran: stop that "
                "program, and restore the data folder unless it was sixgate"
            )

    def signed_after(self, position: int, count_max: int) -> list[tuple[int, bytes]]:
        """Return signed transactions committed after a position, each with its own position.

        Positions increase in commit order and are valid for this file only.
        """
        return self._rows(_SIGNED_AFTER, (position, count_max))

    def get(self, key: StateKey) -> bytes | None:
        """Return the record at a key, with its MAC."""
        with translated(self.path):
            query = "SELECT value FROM state WHERE place = ?"
            row = self._db.execute(query, (_place(key),)).fetchone()
        return row[0] if row else None

    def live_of(self, account: str) -> Iterable[tuple[StateKey, bytes]]:
        """Yield all live records of an account.

        Raises ``StateIntegrityError`` for a record that its key does not lead to.
        """
        query = "SELECT place, key, value FROM state WHERE account = ? AND kind = 'live'"
        with translated(self.path):
            for place, key, value in self._db.execute(query, (account,)):
                found = StateKey(account, "live", key)
                if place != _place(found):
                    raise StateIntegrityError(
                        f"a live record of {account} cannot be found by its key: restore the data "
                        "folder from a good copy"
                    )
                yield found, value

    def pending_accounts(self) -> list[str]:
        """Return the accounts with a pinned outcome that may not be published yet."""
        query = "SELECT DISTINCT account FROM state WHERE pending = 1"
        with translated(self.path):
            return [row[0] for row in self._db.execute(query)]

    def forgettable(self, account: str, now_ms: int, count_max: int) -> list[StateKey]:
        """Return live records of an account whose ``forget_at_ms`` has passed."""
        query = (
            "SELECT key FROM state WHERE account = ? AND kind = 'live' AND forget_at_ms < ? "
            "AND pending = 0 LIMIT ?"
        )
        with translated(self.path):
            rows = self._db.execute(query, (account, now_ms, count_max)).fetchall()
        return [StateKey(account, "live", row[0]) for row in rows]


def _row(write: StateWrite) -> tuple[object, ...]:
    pending = int(write.pending)
    return (_place(write.key), *write.key, write.value, pending, write.forget_at_ms)


def _place(key: StateKey) -> bytes:
    return hashlib.blake2b("\x00".join(key).encode(), digest_size=16).digest()
