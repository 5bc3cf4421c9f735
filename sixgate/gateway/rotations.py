"""Rotations of customer keys and how far they came, kept across restarts; they hold no key."""

from dataclasses import dataclass
from typing import Literal

from sixgate.gateway.database import Database

KEPT_MAX = 256
INTERRUPTED = "The gateway ended before the rotation did."
CONTINUE = "Moved secrets stay moved; send the same request again to continue."
_CREATE = """
CREATE TABLE IF NOT EXISTS rotations (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, vault TEXT NOT NULL, status TEXT NOT NULL,
  total INTEGER NOT NULL, processed INTEGER NOT NULL, skipped INTEGER NOT NULL, error TEXT) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS rotations_running ON rotations (vault) WHERE status = 'running';
"""
_FORGET = """
DELETE FROM rotations WHERE status != 'running'
  AND number <= (SELECT max(number) FROM rotations) - ?
"""
_COLUMNS = "id, vault, status, total, processed, skipped, error"


@dataclass(frozen=True, slots=True)
class Rotation:
    """A rotation, running or ended."""

    id: str
    vault: str
    status: Literal["running", "completed", "failed"]
    total: int
    processed: int
    skipped: int
    error: str | None


class Rotations:
    """The rotations of one gateway; the last ``KEPT_MAX`` are kept.

    A rotation runs in the process that began it: those that run when this is made were interrupted.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        database.create(_CREATE)
        statement = "UPDATE rotations SET status = 'failed', error = ? WHERE status = 'running'"
        database.write(statement, (f"{INTERRUPTED} {CONTINUE}",))

    def begin(self, rotation_id: str, vault: str) -> bool:
        """Store a running rotation; return False while another one runs in the vault."""
        with self._database.transaction():
            self._database.write(_FORGET, (KEPT_MAX - 1,))
            statement = (
                "INSERT OR IGNORE INTO rotations (id, vault, status, total, processed, skipped) "
                "VALUES (?, ?, 'running', 0, 0, 0)"
            )
            return self._database.write(statement, (rotation_id, vault)) == 1

    def get(self, vault: str, rotation_id: str) -> Rotation | None:
        """Return a rotation of a vault, or None."""
        query = f"SELECT {_COLUMNS} FROM rotations WHERE vault = ? AND id = ?"  # noqa: S608 - constants
        row = self._database.row(query, (vault, rotation_id))
        return Rotation(**dict(row)) if row else None

    def count(self, rotation_id: str, *, total: int, skipped: int) -> None:
        """Store how many secrets a rotation moves, and how many it skips."""
        statement = "UPDATE rotations SET total = ?, skipped = ? WHERE id = ?"
        self._database.write(statement, (total, skipped, rotation_id))

    def moved(self, rotation_id: str) -> None:
        """Count one more moved secret; one that was moved again does not count twice."""
        statement = "UPDATE rotations SET processed = min(total, processed + 1) WHERE id = ?"
        self._database.write(statement, (rotation_id,))

    def complete(self, rotation_id: str) -> None:
        """End a rotation that moved everything."""
        statement = "UPDATE rotations SET status = 'completed', processed = total WHERE id = ?"
        self._database.write(statement, (rotation_id,))

    def fail(self, rotation_id: str, why: str) -> None:
        """End a rotation; the same request continues it."""
        statement = "UPDATE rotations SET status = 'failed', error = ? WHERE id = ?"
        self._database.write(statement, (f"{why} {CONTINUE}", rotation_id))
