"""Concurrent requests with idempotency keys share a write to the disk and lose nothing by it."""

import itertools
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from sixgate.gateway.database import Database
from sixgate.gateway.idempotency import (
    Begun,
    IdempotencyKeys,
    KeyConflictError,
    KeyInUseError,
    KeyName,
    NewRequest,
    SignedIntent,
)
from tests.harness.builders.waiting import until

THREADS = 16
DAY_MS = 86_400_000


class CountedDatabase(Database):
    """Counts transactions; number ``fails_at`` fails at its end."""

    count = fails_at = 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with super().transaction():
            yield
            self.count += 1
            if self.count == self.fails_at:
                raise sqlite3.OperationalError("disk full")


class Requests:
    """Requests whose intents are numbered."""

    def __init__(self, database: Database) -> None:
        self.keys = IdempotencyKeys(database)
        self.made = itertools.count(1)
        self.made_count = 0

    def begin(self, key: str, request: str = "r") -> Begun:
        def make() -> SignedIntent:
            self.made_count = next(self.made)
            return SignedIntent("main", f"0x{self.made_count:064x}", key.encode())

        new = NewRequest(request, make, lambda _: False)
        return self.keys.begin(KeyName("a", key), new, now_ms=1, remember_ms=DAY_MS)

    def together(self, database: Database, keys: list[str]) -> list[Begun | Exception]:
        """Begin all of them while another transaction keeps the database busy."""

        def begin(key: str) -> Begun | Exception:
            try:
                return self.begin(key)
            except (KeyInUseError, KeyConflictError, sqlite3.Error) as error:
                return error

        with ThreadPoolExecutor(THREADS) as pool:
            with database.transaction():
                begun = [pool.submit(begin, key) for key in keys]
                until(lambda: self.made_count == len(set(keys)))
            return [one.result() for one in begun]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[CountedDatabase]:
    with closing(CountedDatabase(tmp_path / "gateway.db")) as database:
        yield database


def test_requests_that_come_together_share_a_transaction(database: CountedDatabase) -> None:
    requests = Requests(database)
    begun = requests.together(database, [f"k{number}" for number in range(THREADS)])
    assert {one.signed.envelope for one in begun if isinstance(one, Begun)} == {
        b"k%d" % number for number in range(THREADS)
    }
    assert database.count < THREADS / 2


def test_of_requests_with_one_key_that_come_together_one_is_made(
    database: CountedDatabase,
) -> None:
    requests = Requests(database)
    begun = requests.together(database, ["same"] * THREADS)
    (first,) = [one for one in begun if isinstance(one, Begun)]
    refused = [one.intent for one in begun if isinstance(one, KeyInUseError)]
    assert refused == [first.signed.intent] * (THREADS - 1)
    assert requests.made_count == 1  # the others count in no rate of intents
    requests.keys.finish(KeyName("a", "same"), {"type": "x"}, submitted=True)
    assert requests.begin("same").outcome == {"type": "x"}


def test_a_failed_write_fails_one_request_and_the_others_are_stored(
    database: CountedDatabase,
) -> None:
    requests = Requests(database)
    database.fails_at = 2  # the first one keeps the database busy
    begun = requests.together(database, [f"k{number}" for number in range(THREADS)])
    failed = [one for one in begun if isinstance(one, sqlite3.Error)]
    stored = [one for one in begun if isinstance(one, Begun)]
    assert (len(failed), len(stored)) == (1, THREADS - 1)
    for one in stored:
        with pytest.raises(KeyInUseError):
            requests.begin(one.signed.envelope.decode())
    again = {f"k{n}" for n in range(THREADS)} - {one.signed.envelope.decode() for one in stored}
    assert not requests.begin(again.pop()).repeated  # its key was not used up


def test_a_killed_process_keeps_every_request_that_it_answered(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    with subprocess.Popen(
        [sys.executable, "-m", __name__, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(200)]
        process.send_signal(signal.SIGKILL)
        lines += [line for line in process.stdout if line.endswith("\n")]
    answered = dict(line.split() for line in lines)
    with closing(Database(path)) as database:
        requests = Requests(database)
        for key, intent in answered.items():
            begun = requests.begin(key)
            assert (begun.signed.intent, begun.repeated) == (intent, True)
        # What was stored and not answered is submitted again as it was stored.
        resumed: list[SignedIntent] = []
        requests.keys.resume(resumed.append)
        assert set(answered.values()) <= {one.intent for one in resumed}
        assert len({one.intent for one in resumed}) == len(resumed)


def begin_until_killed(path: Path) -> None:
    """Begin requests in many threads, and print each one when it is answered."""
    requests = Requests(Database(path))
    numbers = itertools.count()

    def begin() -> None:
        while True:
            key = f"k{next(numbers)}"
            begun = requests.begin(key)
            os.write(1, f"{key} {begun.signed.intent}\n".encode())

    threads = [threading.Thread(target=begin) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    begin_until_killed(Path(sys.argv[1]))
