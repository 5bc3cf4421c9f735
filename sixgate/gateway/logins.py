"""Logins of people: which identity at an OpenID Connect issuer is which person.

An ID token is exchanged once.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sixgate.gateway.database import Database, UntilChanged
from sixgate.oidc.id_tokens import Identity, IdToken

ID_PREFIX = "login-"
"""Tells the id of a login, which a token names, from the id of an API key."""

_CREATE = """
CREATE TABLE IF NOT EXISTS logins (
  id TEXT PRIMARY KEY, person TEXT NOT NULL, issuer TEXT NOT NULL, claim TEXT NOT NULL,
  value TEXT NOT NULL, UNIQUE (issuer, claim, value)) STRICT;
CREATE TABLE IF NOT EXISTS exchanged_id_tokens (
  digest TEXT PRIMARY KEY, expires_at_s INTEGER NOT NULL) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Login:
    """One login; tokens that it was exchanged for end with it."""

    id: str
    person: str
    identity: Identity


class Logins:
    """The logins of one organisation's people."""

    def __init__(self, database: Database, random_hex: Callable[[int], str]) -> None:
        self._database, self._random_hex = database, random_hex
        self._known: UntilChanged[Login | None] = UntilChanged(database)  # every request asks
        database.create(_CREATE)

    def bind(self, identity: Identity, person: str) -> Login:
        """Bind an identity to a person, durable on return; it then logs in nobody else."""
        login = Login(f"{ID_PREFIX}{self._random_hex(16)}", person, identity)
        # REPLACE also deletes a former login of this identity, and so ends its tokens.
        statement = "INSERT OR REPLACE INTO logins VALUES (?, ?, ?, ?, ?)"
        self._database.write(statement, (login.id, person, *identity))
        return login

    def exchange(self, token: IdToken, now_ms: int) -> bool:
        """Note that an ID token was exchanged, durable on return; return False if it was before.

        Its digest is kept until the token expires. A person can log in only as often as the issuer
        makes a token, so few are kept.
        """
        with self._database.transaction():
            expired = "DELETE FROM exchanged_id_tokens WHERE expires_at_s < ?"
            self._database.write(expired, (now_ms // 1000,))
            statement = "INSERT OR IGNORE INTO exchanged_id_tokens VALUES (?, ?)"
            return self._database.write(statement, (token.digest, token.expires_at_s)) == 1

    def of(self, identity: Identity) -> Login | None:
        """Return the login of an identity, or None."""
        where = "WHERE issuer = ? AND claim = ? AND value = ?"
        return self._first(where, identity)

    def get(self, login_id: str) -> Login | None:
        """Return a login by id, or None."""
        return self._known.get(login_id, lambda: self._first("WHERE id = ?", (login_id,)))

    def of_person(self, person: str) -> list[Login]:
        """Return the logins of a person."""
        return self._read("WHERE person = ? ORDER BY issuer, claim, value", (person,))

    def delete_of(self, person: str) -> int:
        """Delete all logins of a person; return how many there were."""
        return self._database.write("DELETE FROM logins WHERE person = ?", (person,))

    def _first(self, where: str, values: tuple[str, ...]) -> Login | None:
        return next(iter(self._read(where, values)), None)

    def _read(self, where: str, values: tuple[str, ...]) -> list[Login]:
        query = f"SELECT id, person, issuer, claim, value FROM logins {where}"  # noqa: S608 - constants
        return [
            Login(row["id"], row["person"], Identity(row["issuer"], row["claim"], row["value"]))
            for row in self._database.rows(query, values)
        ]
