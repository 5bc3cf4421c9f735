"""API keys of agents (``ocv_…``) and people (``1ck_…``), stored as SHA-256 hashes.

A key is ``<prefix><public part>_<secret>``. The public part finds the row; the hash of the whole
key verifies it. The secret has 192 random bits, so no slow hash is needed. Earlier versions stored
argon2id hashes: such a row gets its new hash when its key is used. The rows are ``{id, owner,
name, prefix, scopes, created_at_ms, expires_at_ms, last_used_at_ms}``.
"""

import hmac
import json
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from schemas.canonical import digest
from sixgate.api.client_address import LOCAL_SOCKET, rate_key
from sixgate.api.rate_limit import RateLimit
from sixgate.api_error import ApiError
from sixgate.config.limits import Rate
from sixgate.gateway.database import Database, UntilChanged

OwnerKind = Literal["agent", "person"]
PREFIX: dict[OwnerKind, str] = {"agent": "ocv_", "person": "1ck_"}
PUBLIC_BYTES, SECRET_BYTES = 6, 24
HASHES_MAX = 2
"""argon2id hashes computed at the same time: each takes 64 MiB."""
ASKED_MAX = 16
"""Keys with such a hash being verified, most of them waiting: each waits in a thread."""
SLOW_LOGINS = Rate(per_minute=10, burst=10)
"""Verifications of such keys per client address: a public part is no secret."""
_HASH_TAG = "sixgate/api-key/v1"
_KEY = re.compile(r"(?P<prefix>ocv_|1ck_)(?P<public>[0-9a-f]{12})_[0-9a-f]{48}", re.ASCII)
_CREATE = """
CREATE TABLE IF NOT EXISTS api_keys (
  id TEXT PRIMARY KEY, public TEXT NOT NULL UNIQUE, hash TEXT NOT NULL,
  owner_kind TEXT NOT NULL, owner TEXT NOT NULL, name TEXT NOT NULL, scopes TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL, expires_at_ms INTEGER, last_used_at_ms INTEGER) STRICT;
CREATE INDEX IF NOT EXISTS api_keys_owner ON api_keys (owner_kind, owner);
"""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A stored key without its secret."""

    id: str
    owner_kind: OwnerKind
    owner: str
    name: str
    prefix: str
    scopes: tuple[str, ...]
    created_at_ms: int
    expires_at_ms: int | None
    last_used_at_ms: int | None


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key; ``text`` is shown once."""

    key: ApiKey
    text: str = field(repr=False)


class LoginRateError(Exception):
    """An address verified too many keys with argon2id hashes; ``wait_ms`` until the next one."""

    def __init__(self, wait_ms: int) -> None:
        super().__init__(f"retry in {wait_ms} ms")
        self.wait_ms = wait_ms


class ApiKeys:
    """The API keys of one gateway."""

    def __init__(
        self,
        database: Database,
        random_hex: Callable[[int], str],
        hasher: PasswordHasher | None = None,
    ) -> None:
        self._database = database
        self._random_hex = random_hex
        self._read: UntilChanged[ApiKey | None] = UntilChanged(database)  # every request asks
        self._slow_hasher = hasher or PasswordHasher()  # reads its parameters from each hash
        self._slow_logins = RateLimit(SLOW_LOGINS)
        self._counting = threading.Lock()
        self._asked = threading.BoundedSemaphore(ASKED_MAX)
        self._hashing = threading.BoundedSemaphore(HASHES_MAX)
        database.create(_CREATE)

    def issue(
        self,
        owner_kind: OwnerKind,
        owner: str,
        *,
        name: str = "",
        scopes: Sequence[str] = (),
        now_ms: int,
        expires_at_ms: int | None = None,
    ) -> IssuedKey:
        """Make a key, store its hash and return it with its text."""
        public = self._random_hex(PUBLIC_BYTES)
        text = f"{PREFIX[owner_kind]}{public}_{self._random_hex(SECRET_BYTES)}"
        key_id = self._random_hex(16)
        row = (key_id, public, digest(_HASH_TAG, text.encode()), owner_kind, owner, name)
        row_end = (json.dumps(list(scopes)), now_ms, expires_at_ms, None)
        places = ", ".join("?" * 10)
        self._database.write(f"INSERT INTO api_keys VALUES ({places})", row + row_end)  # noqa: S608 - places only
        return IssuedKey(self.of(key_id), text)

    def verified(self, text: str, now_ms: int, address: str) -> ApiKey | None:
        """Return the key with this text if it is valid now, and note the use; otherwise None.

        ``address`` is the client's. Raises ``LoginRateError`` and, if too many keys are being
        verified, ``ApiError`` ``busy``; both only for a key with an argon2id hash.
        """
        found = _KEY.fullmatch(text)
        public = found["public"] if found else ""
        row = self._database.row("SELECT * FROM api_keys WHERE public = ?", (public,))
        if row is None or not (row["expires_at_ms"] is None or now_ms < row["expires_at_ms"]):
            return None
        hashed = digest(_HASH_TAG, text.encode())
        if not hmac.compare_digest(row["hash"], hashed) and not (
            row["hash"].startswith("$argon2id$")
            and self._has_slow_hash(row["hash"], text, now_ms, address)
        ):
            return None
        used = "UPDATE api_keys SET last_used_at_ms = ?, hash = ? WHERE id = ?"
        self._database.write(used, (now_ms, hashed, row["id"]))
        return _api_key(row)

    def _has_slow_hash(self, stored: str, text: str, now_ms: int, address: str) -> bool:
        if address != LOCAL_SOCKET:
            with self._counting:
                wait_ms = self._slow_logins.take(rate_key(address), now_ms)
            if wait_ms:
                raise LoginRateError(wait_ms)
        try:
            with self._turn():
                return self._slow_hasher.verify(stored, text)
        except (VerificationError, InvalidHashError):
            return False

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._asked.acquire(blocking=False):
            raise ApiError("busy", f"the server verifies {ASKED_MAX} API keys, its maximum: retry")
        try:
            with self._hashing:
                yield
        finally:
            self._asked.release()

    def of(self, key_id: str) -> ApiKey:
        """Return a key by id; raise ``KeyError``."""
        query = "SELECT * FROM api_keys WHERE id = ?"

        def read() -> ApiKey | None:
            row = self._database.row(query, (key_id,))
            return _api_key(row) if row else None

        found = self._read.get(key_id, read)
        if found is None:
            raise KeyError(key_id)
        return found

    def owned_by(self, owner_kind: OwnerKind, owner: str) -> list[ApiKey]:
        """Return an owner's keys, newest first."""
        query = (
            "SELECT * FROM api_keys WHERE owner_kind = ? AND owner = ? "
            "ORDER BY created_at_ms DESC, id"
        )
        return [_api_key(row) for row in self._database.rows(query, (owner_kind, owner))]

    def newest_of(self, owner_kind: OwnerKind, owners: Sequence[str]) -> dict[str, ApiKey]:
        """Return the newest key of each of the given owners that has one."""
        places = ", ".join("?" * len(owners))
        query = (
            f"SELECT * FROM api_keys WHERE owner_kind = ? AND owner IN ({places}) "  # noqa: S608 - places only
            "ORDER BY created_at_ms, id DESC"
        )
        rows = self._database.rows(query, (owner_kind, *owners))
        return {row["owner"]: _api_key(row) for row in rows}  # the last one of an owner counts

    def delete(self, key_id: str) -> bool:
        """Delete a key; return whether it existed."""
        return self._database.write("DELETE FROM api_keys WHERE id = ?", (key_id,)) == 1

    def delete_of(self, owner_kind: OwnerKind, owner: str) -> None:
        """Delete all keys of an owner."""
        self._database.write(
            "DELETE FROM api_keys WHERE owner_kind = ? AND owner = ?", (owner_kind, owner)
        )


def _api_key(row: sqlite3.Row) -> ApiKey:
    return ApiKey(
        id=row["id"],
        owner_kind=row["owner_kind"],
        owner=row["owner"],
        name=row["name"],
        prefix=f"{PREFIX[row['owner_kind']]}{row['public']}",
        scopes=tuple(json.loads(row["scopes"])),
        created_at_ms=row["created_at_ms"],
        expires_at_ms=row["expires_at_ms"],
        last_used_at_ms=row["last_used_at_ms"],
    )
