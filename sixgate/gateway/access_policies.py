"""Access policies of vaults, and which grants of the registry they gave.

The registry enforces grants; a policy is how the HTTP API shows and changes them. Every grant that
a policy may have given is noted here before it is registered, so that a revocation finds it even if
the process ended in between. Other grants in the registry are left alone.
"""

import json
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from schemas.registry.access import Grant, Right
from sixgate.gateway.database import Database

_CREATE = """
CREATE TABLE IF NOT EXISTS access_policies (
  id TEXT PRIMARY KEY, vault TEXT NOT NULL, principal_type TEXT NOT NULL,
  principal TEXT NOT NULL, pattern TEXT NOT NULL, permissions TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL, created_by TEXT NOT NULL, ending INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS access_policies_vault ON access_policies (vault);
CREATE INDEX IF NOT EXISTS access_policies_principal ON access_policies (principal);
CREATE TABLE IF NOT EXISTS policy_grants (
  principal TEXT NOT NULL, content TEXT NOT NULL, PRIMARY KEY (principal, content)) STRICT;
"""


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """Permissions of one agent or person on the paths of one vault.

    An ``ending`` policy is listed until its grants are revoked, and gives none.
    """

    id: str
    vault: str
    principal_type: str
    principal: str
    pattern: str
    permissions: tuple[Right, ...]
    created_at_ms: int
    created_by: str
    ending: bool = False


class AccessPolicies:
    """The access policies of one gateway.

    Hold ``lock`` from a change of policies until their grants are registered.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.lock = threading.RLock()
        database.create(_CREATE)

    def put(self, policy: AccessPolicy) -> None:
        """Store a policy, new or changed."""
        row = (
            policy.id,
            policy.vault,
            policy.principal_type,
            policy.principal,
            policy.pattern,
            json.dumps(policy.permissions),
            policy.created_at_ms,
            policy.created_by,
            int(policy.ending),
        )
        statement = "INSERT OR REPLACE INTO access_policies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        self._database.write(statement, row)

    def get(self, policy_id: str) -> AccessPolicy | None:
        """Return a policy by id, or None."""
        row = self._database.row("SELECT * FROM access_policies WHERE id = ?", (policy_id,))
        return _policy(row) if row else None

    def of_vault(self, vault: str) -> list[AccessPolicy]:
        """Return the policies of a vault, newest first."""
        return self._found("SELECT * FROM access_policies WHERE vault = ?", vault)

    def of_principal(self, principal: str) -> list[AccessPolicy]:
        """Return the policies of an agent or person, newest first."""
        return self._found("SELECT * FROM access_policies WHERE principal = ?", principal)

    def delete(self, policy_id: str) -> None:
        """Delete a policy; its grants must be revoked before."""
        self._database.write("DELETE FROM access_policies WHERE id = ?", (policy_id,))

    def given(self, principal: str) -> set[bytes]:
        """Return the canonical bytes of every grant that policies may have given."""
        query = "SELECT content FROM policy_grants WHERE principal = ?"
        return {row["content"].encode() for row in self._database.rows(query, (principal,))}

    def note(self, principal: str, grants: Iterable[Grant]) -> None:
        """Note grants that policies are about to give."""
        with self._database.transaction():
            self._insert(principal, grants)

    def replace_given(self, principal: str, grants: Iterable[Grant]) -> None:
        """Note that policies give exactly these grants."""
        with self._database.transaction():
            self._database.write("DELETE FROM policy_grants WHERE principal = ?", (principal,))
            self._insert(principal, grants)

    def _insert(self, principal: str, grants: Iterable[Grant]) -> None:
        for grant in grants:
            row = (principal, grant.encode().decode())
            self._database.write("INSERT OR IGNORE INTO policy_grants VALUES (?, ?)", row)

    def _found(self, query: str, value: str) -> list[AccessPolicy]:
        rows = self._database.rows(f"{query} ORDER BY created_at_ms DESC, id", (value,))
        return [_policy(row) for row in rows]


def _policy(row: sqlite3.Row) -> AccessPolicy:
    permissions = tuple(json.loads(row["permissions"]))
    return AccessPolicy(**{**dict(row), "permissions": permissions, "ending": bool(row["ending"])})
