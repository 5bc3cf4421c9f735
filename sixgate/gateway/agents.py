"""Descriptions of agents that people created through the HTTP API.

The registry has what decides: key or gateway, policy, expiry, switches. This has the rest.
"""

import json
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass, fields

from sixgate.gateway.database import Database

_CREATE = """
CREATE TABLE IF NOT EXISTS agents (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, description TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL, created_by TEXT NOT NULL, token_ttl_s INTEGER,
  vault_ids TEXT NOT NULL)
STRICT;
"""


@dataclass(frozen=True, slots=True)
class AgentDetails:
    """What the API remembers about an agent; ``created_by`` is an actor such as ``user:<id>``."""

    id: str
    name: str
    description: str
    created_at_ms: int
    created_by: str
    token_ttl_s: int | None = None
    vault_ids: tuple[str, ...] = ()


class Agents:
    """The details of one gateway's agents.

    Hold ``lock`` from reading an agent until its change is registered: the registry replaces whole
    records, so of two changes at once one would restore what the other tightened or revoked.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.lock = threading.RLock()
        database.create(_CREATE)

    def put(self, agent: AgentDetails) -> None:
        """Store an agent's details, new or changed."""
        row = [getattr(agent, field.name) for field in fields(agent)]
        row[-1] = json.dumps(agent.vault_ids)
        places = ", ".join("?" * len(row))
        self._database.write(f"INSERT OR REPLACE INTO agents VALUES ({places})", row)  # noqa: S608 - places only

    def get(self, agent_id: str) -> AgentDetails | None:
        """Return an agent's details, or None."""
        row = self._database.row("SELECT * FROM agents WHERE id = ?", (agent_id,))
        return _details(row) if row else None

    def of(self, agent_ids: Sequence[str]) -> dict[str, AgentDetails]:
        """Return the details of those of the given agents that have any, by id."""
        places = ", ".join("?" * len(agent_ids))
        query = f"SELECT * FROM agents WHERE id IN ({places})"  # noqa: S608 - places only
        return {row["id"]: _details(row) for row in self._database.rows(query, agent_ids)}

    def all(self) -> list[AgentDetails]:
        """Return the details of all agents, newest first."""
        rows = self._database.rows("SELECT * FROM agents ORDER BY created_at_ms DESC, id")
        return [_details(row) for row in rows]

    def delete(self, agent_id: str) -> None:
        """Delete an agent's details."""
        self._database.write("DELETE FROM agents WHERE id = ?", (agent_id,))


def _details(row: sqlite3.Row) -> AgentDetails:
    return AgentDetails(**{**dict(row), "vault_ids": tuple(json.loads(row["vault_ids"]))})
