"""Idempotency keys: each is stored with its request and the signed intent before that is submitted.

A repeated request therefore always leads to the same intent, also after a crash.

1. ``begin`` stores the row, or finds the one of an earlier request.
2. The caller submits the intent and waits for its outcome.
3. ``finish`` notes how it ended. That note may be lost in a crash: then the intent is submitted
   again at the next start, and the signer drops the duplicate.

Requests that come during a write to the disk share the next one: the first of them that gets its
turn stores them all. None of them returns from ``begin`` before that is durable.
"""

import hashlib
import sqlite3
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from schemas.fields import TimeMs
from schemas.intents.reasons import Reason
from schemas.redaction import is_whole
from sixgate.api import Json
from sixgate.gateway.database import Database

_LOCKS = 256
OUTCOMES_MAX = 1_000
"""How many outcomes are kept in memory; the ledger has all of them."""
_CREATE = """
CREATE TABLE IF NOT EXISTS idempotency_keys (
  agent TEXT NOT NULL, key TEXT NOT NULL, request TEXT NOT NULL, intent TEXT NOT NULL,
  account TEXT NOT NULL, envelope BLOB NOT NULL, created_at_ms INTEGER NOT NULL,
  ended INTEGER NOT NULL, PRIMARY KEY (agent, key)) STRICT;
CREATE INDEX IF NOT EXISTS idempotency_keys_created ON idempotency_keys (created_at_ms);
CREATE INDEX IF NOT EXISTS idempotency_keys_open ON idempotency_keys (ended) WHERE ended = 0;
"""
_INSERT = "INSERT INTO idempotency_keys VALUES (?, ?, ?, ?, ?, ?, ?, 0)"
_FORGET = "DELETE FROM idempotency_keys WHERE created_at_ms < ? RETURNING agent, key"
_FIND = "SELECT * FROM idempotency_keys WHERE agent = ? AND key = ? AND created_at_ms >= ?"
_END = "UPDATE idempotency_keys SET ended = 1 WHERE agent = ? AND key = ?"
_RELEASE = "DELETE FROM idempotency_keys WHERE agent = ? AND key = ? AND intent = ?"
_OPEN = "SELECT * FROM idempotency_keys WHERE ended = 0 ORDER BY created_at_ms"


class KeyName(NamedTuple):
    """An agent and one of its idempotency keys, hashed."""

    agent: str
    key: str


class SignedIntent(NamedTuple):
    """An intent in the envelope that was signed for it; ``intent`` is its digest."""

    account: str
    intent: str
    envelope: bytes


class KeyInUseError(Exception):
    """Another request with this key is being processed; ``intent`` is its transaction."""

    def __init__(self, intent: str) -> None:
        super().__init__(intent)
        self.intent = intent


class KeyConflictError(Exception):
    """The key belongs to another request; ``intent`` is its transaction."""

    def __init__(self, intent: str) -> None:
        super().__init__(intent)
        self.intent = intent


@dataclass(frozen=True, slots=True)
class Begun:
    """A request that may continue.

    ``repeated`` if an earlier request made the intent; ``outcome`` if that is known. ``submitted``
    if this process submitted the intent and has seen no outcome.
    """

    signed: SignedIntent
    repeated: bool = False
    outcome: Json | None = None
    submitted: bool = False


@dataclass(slots=True, eq=False)
class _New:
    """A request that waits to be stored."""

    name: KeyName
    request: str
    signed: SignedIntent
    now_ms: TimeMs
    oldest_ms: int
    done: bool = False


class NewRequest(NamedTuple):
    """A request with an idempotency key.

    ``digest`` is that of the request as it was sent. ``make`` admits and signs its intent; what it
    raises leaves the key unused. ``repeats`` returns whether it becomes the same intent as an
    earlier request in another form.
    """

    digest: str
    make: Callable[[], SignedIntent]
    repeats: Callable[[SignedIntent], bool]


def hashed_key(key: str) -> str:
    """Return the idempotency key of the intent; the caller's key is stored nowhere."""
    return f"sha256-{hashlib.sha256(key.encode()).hexdigest()}"


class IdempotencyKeys:
    """The idempotency keys of one gateway's agents; any thread may call."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._beginning = [threading.Lock() for _ in range(_LOCKS)]
        self._writing = threading.Lock()  # one write at a time
        self._lock = threading.Lock()  # of the fields below; never held during a write
        self._waiting: list[_New] = []
        self._running: set[KeyName] = set()
        self._submitted: set[KeyName] = set()
        self._ended: set[KeyName] = set()
        self._outcomes: OrderedDict[KeyName, Json] = OrderedDict()
        database.create(_CREATE)

    def begin(
        self, name: KeyName, request: NewRequest, *, now_ms: TimeMs, remember_ms: int
    ) -> Begun:
        """Store a new request durably, or return what an earlier one with the key led to.

        Unless this raises, the caller must call ``finish``. Raises ``KeyConflictError``,
        ``KeyInUseError``.
        """
        oldest_ms = now_ms - remember_ms
        # One request with a key at a time: the others must not count as new ones of the agent.
        with self._beginning[zlib.crc32(repr(name).encode()) % _LOCKS]:
            earlier = self._database.row(_FIND, (*name, oldest_ms))
            if earlier is None:
                new = _New(name, request.digest, request.make(), now_ms, oldest_ms)
                self._store(new)
                return Begun(new.signed)
        if earlier["request"] != request.digest and not request.repeats(_signed(earlier)):
            raise KeyConflictError(earlier["intent"])
        return self._repeat(name, earlier)

    def finish(self, name: KeyName, outcome: Json | None, *, submitted: bool) -> None:
        """End a request; without an ``outcome`` its intent is still undecided."""
        with self._lock:
            self._running.discard(name)
            if outcome is None:
                if submitted:
                    self._submitted.add(name)
                return
            self._submitted.discard(name)
            self._ended.add(name)
            # Unattributed input has no signed outcome, so the refusal may be forged: a repetition
            # looks for an outcome, and submits the intent again. One without its redacted fields is
            # looked up again, too. An intent refused for the rate gives its key to the next one.
            is_kept = outcome["type"] != "intent.unattributed" and is_whole(outcome)
            if is_kept and outcome.get("reason") != Reason.RATE_EXCEEDED:
                self._outcomes[name] = outcome
            if len(self._outcomes) > OUTCOMES_MAX:
                self._outcomes.popitem(last=False)

    def release(self, name: KeyName, intent: str) -> None:
        """Forget a key that its intent does not own: the next request with it is a new one.

        Another request may have the key already; it keeps it.
        """
        with self._writing, self._database.transaction():
            self._database.write(_RELEASE, (*name, intent))

    def intent_of(self, agent: str, key: str) -> str | None:
        """Return the intent that an agent's key (not hashed) led to, or None."""
        row = self._database.row(_FIND, (agent, hashed_key(key), 0))
        return str(row["intent"]) if row else None

    def resume(self, submit: Callable[[SignedIntent], None]) -> int:
        """Submit every intent whose end was not noted, oldest first; return how many."""
        rows = self._database.rows(_OPEN)
        for row in rows:
            submit(_signed(row))
            with self._lock:
                self._submitted.add(KeyName(row["agent"], row["key"]))
        return len(rows)

    def flush(self) -> None:
        """Store the noted ends."""
        with self._writing, self._database.transaction():
            self._store_ends()

    def _repeat(self, name: KeyName, row: sqlite3.Row) -> Begun:
        with self._lock:
            if name in self._running:
                raise KeyInUseError(row["intent"])
            self._running.add(name)
            outcome, submitted = self._outcomes.get(name), name in self._submitted
        return Begun(_signed(row), repeated=True, outcome=outcome, submitted=submitted)

    def _store(self, new: "_New") -> None:
        """Store a new request, durable on return."""
        with self._lock:
            self._waiting.append(new)
        with self._writing:
            if not new.done:  # a request before this one may have stored it, too
                self._store_waiting(new)

    def _store_waiting(self, first: "_New") -> None:
        """Store all requests that wait, in one transaction; if it fails, the others wait on."""
        group: list[_New] = []
        try:
            with self._database.transaction():
                with self._lock:
                    group, self._waiting = self._waiting, []
                # Ends are stored with the next request: one write to the disk for both.
                self._store_ends()
                forgotten = self._database.rows(_FORGET, (max(one.oldest_ms for one in group),))
                for one in group:
                    self._insert(one)
                # If the process ends before the commit, no request of the group was answered.
        except BaseException:
            with self._lock:
                self._running -= {one.name for one in group}
                self._waiting = [one for one in (*group, *self._waiting) if one is not first]
            raise
        with self._lock:
            for row in forgotten:  # a key may be used again, for another intent
                name = KeyName(row["agent"], row["key"])
                self._submitted.discard(name)
                self._outcomes.pop(name, None)
        for one in group:
            one.done = True

    def _insert(self, new: "_New") -> None:
        signed = new.signed
        row = (*new.name, new.request, signed.intent, signed.account, signed.envelope, new.now_ms)
        self._database.write(_INSERT, row)
        with self._lock:  # before the row is visible: a repetition must find that it runs
            self._running.add(new.name)

    def _store_ends(self) -> None:
        with self._lock:
            ended, self._ended = self._ended, set()
        for name in ended:
            self._database.write(_END, name)


def _signed(row: sqlite3.Row) -> SignedIntent:
    return SignedIntent(row["account"], row["intent"], bytes(row["envelope"]))
