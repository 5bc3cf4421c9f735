"""The store of idempotency keys after a failed write, and after a key was forgotten."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from sixgate.gateway.database import Database
from sixgate.gateway.idempotency import Begun, IdempotencyKeys, KeyName, NewRequest, SignedIntent

REMEMBER_MS = 1_000
FIRST, OTHER = KeyName("trader", "first"), KeyName("trader", "other")
OUTCOME = {"type": "transaction.signed", "intent": "0x1"}


class FailingDatabase(Database):
    """A database that cannot begin a transaction while ``fails`` is set."""

    fails = False

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self.fails:
            raise sqlite3.OperationalError("database is locked")
        with super().transaction():
            yield


@pytest.fixture
def database(tmp_path: Path) -> Iterator[FailingDatabase]:
    with closing(FailingDatabase(tmp_path / "gateway.db")) as opened:
        yield opened


def begin(keys: IdempotencyKeys, name: KeyName, intent: str, *, now_ms: int = 0) -> Begun:
    signed = SignedIntent("main", intent, intent.encode())
    new = NewRequest(intent, lambda: signed, lambda _: False)
    return keys.begin(name, new, now_ms=now_ms, remember_ms=REMEMBER_MS)


def test_a_request_whose_write_failed_is_not_stored_by_a_later_one(
    database: FailingDatabase,
) -> None:
    """Nobody would submit it or finish it: its key would be in progress until the next start."""
    keys = IdempotencyKeys(database)
    database.fails = True
    with pytest.raises(sqlite3.OperationalError):
        begin(keys, FIRST, "0x1")
    database.fails = False
    begin(keys, OTHER, "0x2")
    assert begin(keys, FIRST, "0x3") == Begun(SignedIntent("main", "0x3", b"0x3"))


def test_a_key_that_is_used_again_does_not_have_its_former_outcome(
    database: FailingDatabase,
) -> None:
    """A pending payment would look like the one that was signed the day before."""
    keys = IdempotencyKeys(database)
    begin(keys, FIRST, "0x1")
    keys.finish(FIRST, OUTCOME, submitted=True)
    later_ms = REMEMBER_MS + 1
    begin(keys, FIRST, "0x2", now_ms=later_ms)
    keys.finish(FIRST, None, submitted=True)
    again = begin(keys, FIRST, "0x2", now_ms=later_ms)
    assert (again.repeated, again.outcome, again.submitted) == (True, None, True)


def test_a_key_that_was_released_for_another_request_stays_with_that_one(
    database: FailingDatabase,
) -> None:
    """A late release would let a retry of the second request pay twice."""
    keys = IdempotencyKeys(database)
    refused = {"type": "intent.rejected", "intent": "0x1", "reason": "rate_exceeded"}
    begin(keys, FIRST, "0x1")
    keys.finish(FIRST, refused, submitted=True)
    assert begin(keys, FIRST, "0x1").outcome is None  # a repetition before the release
    keys.release(FIRST, "0x1")
    begin(keys, FIRST, "0x2")
    keys.finish(FIRST, refused, submitted=True)  # the end of the repetition
    keys.release(FIRST, "0x1")
    again = begin(keys, FIRST, "0x2")
    assert (again.repeated, again.outcome, again.signed.intent) == (True, None, "0x2")
