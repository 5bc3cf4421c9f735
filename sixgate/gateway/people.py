"""People who administer an organisation through the HTTP API.

Each person is also a registered agent without the Intents API, so the secret service decides and
records a person's reads like an agent's.
"""

import sqlite3
from dataclasses import dataclass
from typing import Literal

from sixgate.gateway.database import Database, UntilChanged

Role = Literal["admin", "member"]
_CREATE = """
CREATE TABLE IF NOT EXISTS people (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT, role TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL, active INTEGER NOT NULL) STRICT;
"""


class NameTakenError(Exception):
    """An active person has the name."""


@dataclass(frozen=True, slots=True)
class Person:
    """A person; no two active ones have one name, and an inactive person may do nothing."""

    id: str
    name: str
    email: str | None
    role: Role
    created_at_ms: int
    active: bool


class People:
    """The people of one organisation."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read: UntilChanged[Person | None] = UntilChanged(database)  # every request asks
        database.create(_CREATE)

    def add(self, person: Person) -> None:
        """Store a new person; raise ``NameTakenError``."""
        values = (person.id, person.name, person.email, person.role)
        row = (*values, person.created_at_ms, int(person.active))
        with self._database.transaction():
            self.check_name(person.name)
            self._database.write("INSERT INTO people VALUES (?, ?, ?, ?, ?, ?)", row)

    def check_name(self, name: str) -> None:
        """Raise ``NameTakenError`` if commands would find an active person by this name already."""
        query = "SELECT id FROM people WHERE active = 1 AND ? IN (name, id)"
        if (found := self._database.row(query, (name,))) is not None:
            raise NameTakenError(
                f"{name} is the name of an active person already ({found['id']}), and commands "
                f"find people by name: choose another name, or run sixgate people deactivate {name}"
            )

    def get(self, person_id: str) -> Person | None:
        """Return a person by id, or None."""

        def read() -> Person | None:
            row = self._database.row("SELECT * FROM people WHERE id = ?", (person_id,))
            return _person(row) if row else None

        return self._read.get(person_id, read)

    def all(self) -> list[Person]:
        """Return all people, newest first."""
        rows = self._database.rows("SELECT * FROM people ORDER BY created_at_ms DESC, id")
        return [_person(row) for row in rows]

    def deactivate(self, person_id: str) -> bool:
        """Deactivate a person; return whether the person existed."""
        statement = "UPDATE people SET active = 0 WHERE id = ?"
        return self._database.write(statement, (person_id,)) == 1


def _person(row: sqlite3.Row) -> Person:
    return Person(**{**dict(row), "active": bool(row["active"])})
