"""The thread pool: calls start immediately beside hanging ones; idle threads hold no references."""

import gc
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

from signer.custody import thread_pool
from signer.custody.thread_pool import IDLE_MAX, NAME, run_in_thread
from tests.harness.builders.waiting import until

MANY = 3 * IDLE_MAX


class WrappedVersion:
    """What a call has in its hands, a key for one."""


def done(work: Callable[[], object]) -> object:
    answer: Future[object] = Future()
    run_in_thread(lambda: answer.set_result(work()))
    return answer.result(60)


def running() -> int:
    return sum(thread.name == NAME for thread in threading.enumerate())


def test_a_call_never_waits_behind_those_that_hang() -> None:
    let_go, ended = threading.Event(), threading.Semaphore(0)

    def hang() -> None:
        let_go.wait(120)
        ended.release()

    for _ in range(MANY):
        run_in_thread(hang)
    assert done(lambda: 7) == 7
    assert not let_go.is_set()
    let_go.set()
    assert all(ended.acquire(timeout=60) for _ in range(MANY))


def test_after_a_burst_only_so_many_threads_are_kept() -> None:
    before = running()
    test_a_call_never_waits_behind_those_that_hang()
    until(lambda: running() <= max(before, IDLE_MAX) + 2)


def test_a_thread_is_used_again() -> None:
    used = set()
    for _ in range(2 * IDLE_MAX):
        used.add(done(threading.current_thread))
        until(lambda: bool(thread_pool._idle))  # noqa: SLF001 - the thread is idle again
    assert len(used) <= IDLE_MAX + 1


def test_a_thread_that_waits_holds_nothing_of_its_last_call() -> None:
    held = WrappedVersion()
    seen, answer = weakref.ref(held), Future[bool]()
    run_in_thread(partial(lambda _held: answer.set_result(True), held))
    assert answer.result(60)
    del held
    until(lambda: gc.collect() >= 0 and seen() is None)
