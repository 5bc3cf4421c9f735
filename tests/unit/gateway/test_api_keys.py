"""Hashes of API keys are bounded: anyone may ask for one, and each takes memory and time."""

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher

from sixgate.api_error import ApiError
from sixgate.gateway.api_keys import ASKED_MAX, HASHES_MAX, ApiKeys
from sixgate.gateway.database import Database
from tests.harness.builders.waiting import until

EXTRA = 4
UNKNOWN = "ocv_000000000000_" + "0" * 48


class HeldHasher(PasswordHasher):
    """A cheap hasher that verifies only once it is released, and counts."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.running = self.most = 0
        self.released = threading.Event()
        self._lock = threading.Lock()

    def verify(self, *given: Any) -> Any:
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)
        try:
            self.released.wait()
            return super().verify(*given)
        finally:
            with self._lock:
                self.running -= 1


def test_few_hashes_run_at_once_and_few_requests_wait_for_one(tmp_path: Path) -> None:
    hasher = HeldHasher()
    with (
        closing(Database(tmp_path / "gateway.db")) as database,
        ThreadPoolExecutor(ASKED_MAX + EXTRA) as pool,
    ):
        keys = ApiKeys(database, secrets.token_hex, hasher)
        valid = keys.issue("agent", "trader", now_ms=0)
        asked = [pool.submit(keys.verified, UNKNOWN, 0) for _ in range(ASKED_MAX + EXTRA)]
        try:
            until(lambda: sum(one.done() for one in asked) == EXTRA)
            refused = [one.exception() for one in asked if one.done()]
        finally:
            hasher.released.set()
        assert all(isinstance(one, ApiError) and one.code == "busy" for one in refused)
        assert [one.result() for one in asked if not one.exception()] == [None] * ASKED_MAX
        assert hasher.most == HASHES_MAX
        assert keys.verified(valid.text, 0) == valid.key
