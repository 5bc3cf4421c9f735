"""Webhooks in a private SQLite file: what people registered, and how far each was delivered.

A delivery is recorded after its success (synchronous = FULL). *If the process ends between the
success and the record, the event is delivered again, with the same id.*
"""

import os
import sqlite3
import stat
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from signer.custody.atomic_write import MODE_PRIVATE
from signer.custody.errors import PrivateFileError
from signer.custody.private_file import OTHERS
from sixgate.webhooks.errors import WebhookLimitError, WebhookNotFoundError
from sixgate.webhooks.events import EVERY_EVENT
from streams.log.errors import LogDamagedError, translated

FORMAT_VERSION = 1
APPLICATION_ID = 0x51A7E002
ENDPOINTS_MAX = 50
"""Also the largest number of deliveries under way: each webhook has at most one."""
_CREATE = """
CREATE TABLE endpoints (
  id TEXT PRIMARY KEY, url TEXT NOT NULL, events TEXT NOT NULL, secret TEXT NOT NULL,
  is_active INTEGER NOT NULL, created_at_ms INTEGER NOT NULL, created_by TEXT NOT NULL,
  position INTEGER NOT NULL, revision INTEGER NOT NULL DEFAULT 0,
  failures INTEGER NOT NULL DEFAULT 0, failing_since_ms INTEGER,
  next_attempt_ms INTEGER NOT NULL DEFAULT 0, last_error TEXT, disabled_reason TEXT) STRICT
"""
_COLUMNS = (
    "id, url, events, secret, is_active, created_at_ms, created_by, position, revision, failures, "
    "failing_since_ms, next_attempt_ms, last_error, disabled_reason"
)
_ADD = f"""
INSERT INTO endpoints ({_COLUMNS})
SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
WHERE (SELECT count(*) FROM endpoints) < {ENDPOINTS_MAX}
"""  # noqa: S608 - constants
# Every change starts a new revision: the result of a delivery that began before no longer counts.
_CHANGE = """
UPDATE endpoints SET url = coalesce(:url, url), events = coalesce(:events, events),
  secret = coalesce(:secret, secret), is_active = coalesce(:is_active, is_active),
  position = coalesce(:position, position),
  disabled_reason = CASE WHEN :is_active IS NULL THEN disabled_reason END,
  revision = revision + 1, failures = 0, failing_since_ms = NULL, next_attempt_ms = 0,
  last_error = NULL
WHERE id = :id
"""
_DELIVERED = """
UPDATE endpoints SET position = ?, failures = 0, failing_since_ms = NULL, next_attempt_ms = 0,
  last_error = NULL
WHERE id = ? AND revision = ?
"""
_FAILED = """
UPDATE endpoints SET failures = failures + 1,
  failing_since_ms = coalesce(failing_since_ms, :now_ms), next_attempt_ms = :next_attempt_ms,
  last_error = :error, disabled_reason = :disabled_reason, is_active = :disabled_reason IS NULL
WHERE id = :id AND revision = :revision
"""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One webhook and its state. ``position`` is the offset of the last delivered event.

    ``failures`` counts failed attempts in a row. ``disabled_reason`` is set if deliveries were
    given up, and absent if a person deactivated the webhook.
    """

    id: str
    url: str = field(repr=False)  # a path or query may contain a token of the receiver
    events: tuple[str, ...]
    secret: str = field(repr=False)
    is_active: bool
    created_at_ms: int
    created_by: str
    position: int
    revision: int = 0
    failures: int = 0
    failing_since_ms: int | None = None
    next_attempt_ms: int = 0
    last_error: str | None = None
    disabled_reason: str | None = None

    def wants(self, event: str) -> bool:
        """Return whether the webhook subscribed to an event name."""
        return event in self.events or EVERY_EVENT in self.events


@dataclass(frozen=True, slots=True)
class Changes:
    """The fields to change; None leaves a field unchanged."""

    url: str | None = field(default=None, repr=False)
    events: Sequence[str] | None = None
    secret: str | None = field(default=None, repr=False)
    is_active: bool | None = None
    position: int | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """The result of a failed attempt; ``disabled_reason`` ends the deliveries."""

    error: str
    now_ms: int
    next_attempt_ms: int
    disabled_reason: str | None = None


class WebhookStore:
    """The webhooks of one organisation; every method may be called from any thread.

    Raises ``LogError`` if the file cannot be used, and ``PrivateFileError`` if others can read it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        _require_private(path)
        with translated(path):
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._prepare()

    def add(self, endpoint: Endpoint) -> None:
        """Store a new webhook; raise ``WebhookLimitError`` if there are ``ENDPOINTS_MAX``."""
        if not self._write(_ADD, _row(endpoint)):
            raise WebhookLimitError(
                f"the organisation has {ENDPOINTS_MAX} webhooks, which is the limit: delete one"
            )

    def get(self, endpoint_id: str) -> Endpoint:
        """Return a webhook; raise ``WebhookNotFoundError``."""
        found = self._read("WHERE id = ?", (endpoint_id,))
        if not found:
            raise WebhookNotFoundError(f"no webhook {endpoint_id[:64]!a}")
        return found[0]

    def all(self) -> list[Endpoint]:
        """Return all webhooks, newest first."""
        return self._read("ORDER BY created_at_ms DESC, rowid DESC", ())

    def due(self, now_ms: int) -> list[Endpoint]:
        """Return the active webhooks whose next attempt may begin, in order of their ids."""
        return self._read("WHERE is_active AND next_attempt_ms <= ? ORDER BY id", (now_ms,))

    def change(self, endpoint_id: str, changes: Changes) -> Endpoint:
        """Change a webhook, and make it due at once; raise ``WebhookNotFoundError``."""
        events = None if changes.events is None else orjson.dumps(changes.events).decode()
        values = {
            "id": endpoint_id,
            "url": changes.url,
            "events": events,
            "secret": changes.secret,
            "is_active": changes.is_active,
            "position": changes.position,
        }
        self._write(_CHANGE, values)
        return self.get(endpoint_id)

    def delete(self, endpoint_id: str) -> None:
        """Delete a webhook and its secret; raise ``WebhookNotFoundError``."""
        if not self._write("DELETE FROM endpoints WHERE id = ?", (endpoint_id,)):
            raise WebhookNotFoundError(f"no webhook {endpoint_id[:64]!a}")

    def is_current(self, endpoint: Endpoint) -> bool:
        """Return whether a webhook is unchanged by people since it was read."""
        return bool(self._read("WHERE id = ? AND revision = ?", (endpoint.id, endpoint.revision)))

    def record_delivered(self, endpoint: Endpoint, position: int) -> None:
        """Record that all events up to a position are done, unless the webhook was changed."""
        self._write(_DELIVERED, (position, endpoint.id, endpoint.revision))

    def record_failed(self, endpoint: Endpoint, failure: Failure) -> None:
        """Record a failed attempt, unless the webhook was changed or deleted meanwhile."""
        values = {
            "id": endpoint.id,
            "revision": endpoint.revision,
            "now_ms": failure.now_ms,
            "next_attempt_ms": failure.next_attempt_ms,
            "error": failure.error,
            "disabled_reason": failure.disabled_reason,
        }
        self._write(_FAILED, values)

    def close(self) -> None:
        """Close the file; later calls raise ``LogError``."""
        with self._lock:
            self._db.close()

    def _read(self, condition: str, values: Sequence[object]) -> list[Endpoint]:
        query = f"SELECT {_COLUMNS} FROM endpoints {condition}"  # noqa: S608 - constants
        with self._lock, translated(self.path):
            return [_endpoint(row) for row in self._db.execute(query, values)]

    def _write(self, statement: str, values: Any) -> int:
        """Run one statement, durable on return; return how many rows it changed."""
        with self._lock, translated(self.path):
            return self._db.execute(statement, values).rowcount

    def _prepare(self) -> None:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            self._db.execute(f"PRAGMA {pragma}")
        found = tuple(
            self._db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("user_version", "application_id")
        )
        if found == (FORMAT_VERSION, APPLICATION_ID):
            return
        if found != (0, 0):
            raise LogDamagedError(
                f"{self.path.name} was made by another version of this program: use that version"
            )
        # One transaction: if the process ends here, the next start begins again.
        self._db.executescript(
            f"BEGIN IMMEDIATE; {_CREATE}; PRAGMA user_version = {FORMAT_VERSION}; "
            f"PRAGMA application_id = {APPLICATION_ID}; COMMIT;"
        )


def _require_private(path: Path) -> None:
    """Create the file with mode 0600 if it is missing; raise ``PrivateFileError`` if it is not.

    SQLite gives the files of its write-ahead log the same mode.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags, MODE_PRIVATE)
    except OSError as error:
        problem = f"{path.name} cannot be opened ({error.strerror})"
        raise PrivateFileError(problem, "check the path and its permissions") from None
    try:
        mode = os.fstat(descriptor).st_mode
    finally:
        os.close(descriptor)
    if not stat.S_ISREG(mode) or mode & OTHERS:
        problem = f"{path.name} is not a private file (mode {stat.S_IMODE(mode):04o})"
        raise PrivateFileError(problem, "run chmod 600 on it and replace the webhooks' secrets")


def _row(endpoint: Endpoint) -> tuple[object, ...]:
    return (
        endpoint.id,
        endpoint.url,
        orjson.dumps(endpoint.events).decode(),
        endpoint.secret,
        endpoint.is_active,
        endpoint.created_at_ms,
        endpoint.created_by,
        endpoint.position,
        endpoint.revision,
        endpoint.failures,
        endpoint.failing_since_ms,
        endpoint.next_attempt_ms,
        endpoint.last_error,
        endpoint.disabled_reason,
    )


def _endpoint(row: tuple[Any, ...]) -> Endpoint:
    endpoint_id, url, events, secret, is_active, *state = row
    return Endpoint(endpoint_id, url, tuple(orjson.loads(events)), secret, bool(is_active), *state)
