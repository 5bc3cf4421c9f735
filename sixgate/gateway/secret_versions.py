"""Terms of secrets' versions that the HTTP API enforces: expiry, number of reads, end of use.

The signer's log keeps every sealed version. A version that is disabled, deleted, expired or read
too often is refused by the gateway, not erased.

The terms of a version are stored before the version: it is never readable without them.
"""

import json
import sqlite3
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sixgate.gateway.database import Database

_CREATE = """
CREATE TABLE IF NOT EXISTS secret_versions (
  vault TEXT NOT NULL, path TEXT NOT NULL, version INTEGER NOT NULL, type TEXT,
  metadata TEXT NOT NULL, expires_at_ms INTEGER, reads_max INTEGER, reads INTEGER NOT NULL,
  disabled INTEGER NOT NULL, layered INTEGER NOT NULL, created_by TEXT,
  PRIMARY KEY (vault, path, version)) STRICT;
CREATE TABLE IF NOT EXISTS deleted_secrets (
  vault TEXT NOT NULL, path TEXT NOT NULL, through INTEGER NOT NULL,
  PRIMARY KEY (vault, path)) STRICT;
CREATE TABLE IF NOT EXISTS stored_signing_keys (
  path TEXT PRIMARY KEY, vault TEXT NOT NULL) STRICT;
"""
_LOCKS = 64


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of one version; ``type`` is the type in the request that made it.

    ``layered`` means that the customer encrypted the value. A version that was made without the API
    has default terms.
    """

    vault: str
    path: str
    version: int
    type: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    expires_at_ms: int | None = None
    reads_max: int | None = None
    reads: int = 0
    disabled: bool = False
    layered: bool = False
    created_by: str | None = None


class SecretVersions:
    """The terms of the versions in one gateway's vaults."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._locks = [threading.RLock() for _ in range(_LOCKS)]
        database.create(_CREATE)

    @contextmanager
    def changing(self, vault: str, path: str) -> Iterator[None]:
        """Keep other requests of this process from making versions of a secret meanwhile."""
        with self._locks[zlib.crc32(f"{vault}/{path}".encode()) % _LOCKS]:
            yield

    def put(self, terms: Terms) -> Terms | None:
        """Store the terms of a version; return the former ones, for ``restore``.

        They are of a version that was never made, or of one that others made meanwhile.
        """
        row = (terms.vault, terms.path, terms.version, terms.type, json.dumps(terms.metadata))
        numbers = (terms.expires_at_ms, terms.reads_max, terms.reads)
        flags = (int(terms.disabled), int(terms.layered), terms.created_by)
        statement = (
            "INSERT OR REPLACE INTO secret_versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        )
        with self._database.transaction():
            former = self._row(terms.vault, terms.path, terms.version)
            self._database.write(statement, row + numbers + flags)
        return former

    def get(self, vault: str, path: str, version: int) -> Terms:
        """Return the terms of a version."""
        return self._row(vault, path, version) or Terms(vault, path, version)

    def restore(self, terms: Terms, former: Terms | None) -> None:
        """Undo ``put`` of terms whose version was refused: somebody else's may have the number."""
        if former is not None:
            self.put(former)
            return
        statement = "DELETE FROM secret_versions WHERE vault = ? AND path = ? AND version = ?"
        self._database.write(statement, (terms.vault, terms.path, terms.version))

    def disable(self, terms: Terms) -> None:
        """Disable a version permanently."""
        self._database.write(
            "INSERT INTO secret_versions VALUES (?, ?, ?, NULL, '{}', NULL, NULL, 0, 1, 0, NULL) "
            "ON CONFLICT DO UPDATE SET disabled = 1",
            (terms.vault, terms.path, terms.version),
        )

    def count_read(self, terms: Terms) -> bool:
        """Count one read of a version; return False, and count nothing, if none is left."""
        if terms.reads_max is None:
            return True
        # One statement, so two readers cannot both take the last read.
        statement = (
            "UPDATE secret_versions SET reads = reads + 1 "
            "WHERE vault = ? AND path = ? AND version = ? AND reads < reads_max"
        )
        return self._database.write(statement, (terms.vault, terms.path, terms.version)) == 1

    def return_read(self, terms: Terms) -> None:
        """Give back a counted read that certainly returned no value."""
        if terms.reads_max is not None:
            statement = (
                "UPDATE secret_versions SET reads = reads - 1 "
                "WHERE vault = ? AND path = ? AND version = ? AND reads > 0"
            )
            self._database.write(statement, (terms.vault, terms.path, terms.version))

    def delete(self, vault: str, path: str, through: int) -> None:
        """Delete a secret: its versions up to ``through``."""
        self._database.write(
            "INSERT OR REPLACE INTO deleted_secrets VALUES (?, ?, ?)", (vault, path, through)
        )

    def deleted(self, vault: str) -> dict[str, int]:
        """Return the newest deleted version of each deleted secret of a vault, by path."""
        rows = self._database.rows("SELECT * FROM deleted_secrets WHERE vault = ?", (vault,))
        return {row["path"]: row["through"] for row in rows}

    def deleted_through(self, vault: str, path: str) -> int:
        """Return the newest deleted version of a secret, or 0."""
        query = "SELECT through FROM deleted_secrets WHERE vault = ? AND path = ?"
        row = self._database.row(query, (vault, path))
        return int(row["through"]) if row else 0

    def add_signing_key(self, vault: str, path: str) -> None:
        """Remember that the secret of a vault at a path is also the signing key at that path."""
        self._database.write(
            "INSERT OR REPLACE INTO stored_signing_keys VALUES (?, ?)", (path, vault)
        )

    def signing_keys(self, vault: str) -> list[str]:
        """Return the paths of a vault's secrets that are also signing keys."""
        query = "SELECT path FROM stored_signing_keys WHERE vault = ? ORDER BY path"
        return [str(row["path"]) for row in self._database.rows(query, (vault,))]

    def vault_of_signing_key(self, path: str) -> str | None:
        """Return the vault whose secret is the signing key at a path, or None."""
        row = self._database.row("SELECT vault FROM stored_signing_keys WHERE path = ?", (path,))
        return str(row["vault"]) if row else None

    def _row(self, vault: str, path: str, version: int) -> Terms | None:
        query = "SELECT * FROM secret_versions WHERE vault = ? AND path = ? AND version = ?"
        row = self._database.row(query, (vault, path, version))
        return _terms(row) if row else None


def _terms(row: sqlite3.Row) -> Terms:
    flags = {name: bool(row[name]) for name in ("disabled", "layered")}
    return Terms(**{**dict(row), "metadata": json.loads(row["metadata"]), **flags})
