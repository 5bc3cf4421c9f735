"""Keys are verified fast; the slow hashes of an earlier version are bounded and are replaced."""

import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from sixgate.api_error import ApiError
from sixgate.gateway.api_keys import (
    ASKED_MAX,
    HASHES_MAX,
    SLOW_LOGINS,
    ApiKeys,
    IssuedKey,
    LoginRateError,
)
from sixgate.gateway.database import Database
from tests.harness.builders.waiting import until

EXTRA = 4
ADDRESS = "192.0.2.1"
UNKNOWN = "ocv_000000000000_" + "0" * 48


class HeldHasher(PasswordHasher):
    """A cheap hasher that verifies only once it is released, and counts."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.running = self.most = self.asked = 0
        self.released = threading.Event()
        self._lock = threading.Lock()

    def verify(self, *given: Any) -> Any:
        with self._lock:
            self.running += 1
            self.asked += 1
            self.most = max(self.most, self.running)
        try:
            self.released.wait()
            return super().verify(*given)
        finally:
            with self._lock:
                self.running -= 1


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(tmp_path / "gateway.db")) as database:
        yield database


def hash_slowly(database: Database, key: IssuedKey, hasher: PasswordHasher) -> None:
    """Store a key's hash as earlier versions did."""
    row = (hasher.hash(key.text), key.key.id)
    assert database.write("UPDATE api_keys SET hash = ? WHERE id = ?", row) == 1


def wrong(key: IssuedKey) -> str:
    """Return a text with the public part of a key, and another secret."""
    return key.text[:-48] + "0" * 48


def test_no_wrong_key_costs_a_slow_hash(database: Database) -> None:
    hasher = HeldHasher()  # which answers nobody
    keys = ApiKeys(database, secrets.token_hex, hasher)
    valid = keys.issue("agent", "trader", now_ms=0)
    for text in (UNKNOWN, wrong(valid), "", valid.text.upper()):
        assert keys.verified(text, 0, ADDRESS) is None
    assert keys.verified(valid.text, 0, ADDRESS) == valid.key
    assert hasher.most == 0
    stored = database.row("SELECT hash FROM api_keys")
    assert stored
    hashed = sha256(b"sixgate/api-key/v1\0" + valid.text.encode())
    assert stored["hash"] == f"0x{hashed.hexdigest()}"


def test_a_slow_hash_is_verified_once_and_replaced(database: Database) -> None:
    hasher = HeldHasher()
    hasher.released.set()
    keys = ApiKeys(database, secrets.token_hex, hasher)
    old = keys.issue("agent", "trader", now_ms=0)
    hash_slowly(database, old, hasher)
    assert keys.verified(wrong(old), 0, ADDRESS) is None
    assert hasher.asked == 1
    for _ in range(3):
        found = keys.verified(old.text, 0, ADDRESS)
        assert found
        assert found.id == old.key.id
    assert hasher.asked == 2
    assert keys.verified(wrong(old), 0, ADDRESS) is None
    assert hasher.asked == 2


def test_an_expired_key_costs_no_slow_hash(database: Database) -> None:
    hasher = HeldHasher()
    keys = ApiKeys(database, secrets.token_hex, hasher)
    old = keys.issue("agent", "trader", now_ms=0, expires_at_ms=1)
    hash_slowly(database, old, hasher)
    assert keys.verified(old.text, 1, ADDRESS) is None
    assert hasher.asked == 0


def test_an_address_over_its_login_rate_costs_no_slow_hash(database: Database) -> None:
    hasher = HeldHasher()
    hasher.released.set()
    keys = ApiKeys(database, secrets.token_hex, hasher)
    old = keys.issue("agent", "trader", now_ms=0)
    hash_slowly(database, old, hasher)
    attackers = ["2001:db8::1", "2001:db8::2"]  # of one site
    for number in range(SLOW_LOGINS.burst):
        assert keys.verified(UNKNOWN, 0, attackers[0]) is None  # costs nothing, so is not counted
        assert keys.verified(wrong(old), 0, attackers[number % 2]) is None
    for text in (wrong(old), old.text):
        with pytest.raises(LoginRateError) as caught:
            keys.verified(text, 0, attackers[0])
        assert caught.value.wait_ms == 60_000 // SLOW_LOGINS.per_minute
    assert hasher.asked == SLOW_LOGINS.burst
    assert keys.verified(old.text, 0, ADDRESS)


def test_few_slow_hashes_run_at_once_and_few_requests_wait_for_one(database: Database) -> None:
    hasher = HeldHasher()
    with ThreadPoolExecutor(ASKED_MAX + EXTRA) as pool:
        keys = ApiKeys(database, secrets.token_hex, hasher)
        valid, old = (keys.issue("agent", "trader", now_ms=0) for _ in range(2))
        hash_slowly(database, old, hasher)
        asked = [
            pool.submit(keys.verified, wrong(old), 0, f"192.0.2.{number}")
            for number in range(ASKED_MAX + EXTRA)
        ]
        try:
            until(lambda: sum(one.done() for one in asked) == EXTRA)
            refused = [one.exception() for one in asked if one.done()]
            assert keys.verified(valid.text, 0, ADDRESS) == valid.key
        finally:
            hasher.released.set()
        assert all(isinstance(one, ApiError) and one.code == "busy" for one in refused)
        assert [one.result() for one in asked if not one.exception()] == [None] * ASKED_MAX
        assert hasher.most == HASHES_MAX
