"""Descriptions of vaults that people made through the HTTP API; the registry has their modes.

A vault's id is also its name in the registry. It is registered when its custody mode is chosen, or
with its first secret: until then only this file knows it, and it is empty.
"""

import sqlite3
from dataclasses import dataclass

from sixgate.gateway.database import Database

_CREATE = """
CREATE TABLE IF NOT EXISTS vaults (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, description TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL, created_by TEXT NOT NULL, deleted INTEGER NOT NULL) STRICT;
"""


@dataclass(frozen=True, slots=True)
class VaultDetails:
    """What the API remembers about a vault; ``created_by`` is an actor such as ``user:<id>``."""

    id: str
    name: str
    description: str
    created_at_ms: int
    created_by: str
    deleted: bool = False


class Vaults:
    """The described vaults of one gateway."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.create(_CREATE)

    def add(self, vault: VaultDetails) -> None:
        """Store a new vault's details."""
        row = (vault.id, vault.name, vault.description, vault.created_at_ms, vault.created_by)
        self._database.write("INSERT INTO vaults VALUES (?, ?, ?, ?, ?, 0)", row)

    def get(self, vault_id: str) -> VaultDetails | None:
        """Return a vault's details, also of a deleted one, or None."""
        row = self._database.row("SELECT * FROM vaults WHERE id = ?", (vault_id,))
        return _details(row) if row else None

    def all(self) -> list[VaultDetails]:
        """Return the details of all vaults, also of deleted ones, newest first."""
        rows = self._database.rows("SELECT * FROM vaults ORDER BY created_at_ms DESC, id")
        return [_details(row) for row in rows]

    def delete(self, vault_id: str) -> None:
        """Mark a vault as deleted; the registry and the log keep it and its sealed secrets."""
        self._database.write("UPDATE vaults SET deleted = 1 WHERE id = ?", (vault_id,))


def _details(row: sqlite3.Row) -> VaultDetails:
    return VaultDetails(**{**dict(row), "deleted": bool(row["deleted"])})
