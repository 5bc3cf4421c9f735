"""A connection made at its first use: one attempt at a time, and nobody waits for it."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from sixgate.api import ApiError
from sixgate.backends.kafka.backend import Lazy

WAIT_S_MAX = 60


class Connection:
    closed = False

    def close(self) -> None:
        self.closed = True


def test_while_one_thread_connects_the_others_are_refused() -> None:
    begun, answered, made = Event(), Event(), list[Connection]()

    def connect() -> Connection:
        begun.set()
        assert answered.wait(WAIT_S_MAX)
        made.append(Connection())
        return made[-1]

    lazy = Lazy("the ledger", connect)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(lazy.get)
        assert begun.wait(WAIT_S_MAX)
        refused = threads.submit(lazy.get).exception(WAIT_S_MAX / 2)
        assert isinstance(refused, ApiError)
        assert (refused.code, "the ledger" in str(refused)) == ("busy", True)
        answered.set()
        assert first.result(WAIT_S_MAX) is lazy.get() is made[0]
    lazy.close()
    assert len(made) == 1
    assert made[0].closed


def test_after_a_failed_attempt_the_next_call_connects() -> None:
    outcomes: list[ApiError | Connection] = [ApiError("custody_absent", "no answer"), Connection()]

    def connect() -> Connection:
        outcome = outcomes.pop(0)
        if isinstance(outcome, ApiError):
            raise outcome
        return outcome

    lazy = Lazy("custody", connect)
    with pytest.raises(ApiError, match="no answer"):
        lazy.get()
    assert lazy.get() is lazy.get()
