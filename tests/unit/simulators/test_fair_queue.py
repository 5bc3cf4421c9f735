import heapq
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.simulators.fair_queue import FairQueue


def _serve(calls: Sequence[tuple[str, float]], workers: int) -> list[float]:
    """Run calls of (account, seconds); return when each started."""
    queue = FairQueue((index, account) for index, (account, _) in enumerate(calls))
    started_s = [-1.0] * len(calls)
    now_s, running = 0.0, list[tuple[float, int]]()
    while queue.waiting or running:
        while queue.waiting and len(running) < workers:
            index = queue.start(now_s)
            started_s[index] = now_s
            heapq.heappush(running, (now_s + calls[index][1], index))
        now_s, index = heapq.heappop(running)
        queue.finish(index, now_s)
    return started_s


def test_equal_calls_of_several_accounts_go_round_robin() -> None:
    queue = FairQueue(enumerate(["a", "a", "a", "b", "b", "c"]))
    order = []

    for now_s in range(6):
        index = queue.start(now_s)
        queue.finish(index, now_s + 1)
        order.append(index)

    assert order == [0, 3, 5, 1, 4, 2]


def test_a_hundred_slow_calls_delay_another_account_by_one_of_them_at_most() -> None:
    calls = [("slow", 0.25)] * 100 + [("quick", 0.001)] * 10

    with_one_worker = _serve(calls, workers=1)[100:]
    with_two_workers = _serve(calls, workers=2)[100:]

    assert max(with_one_worker) < 0.25 + 10 * 0.001 + 1e-9
    assert max(with_two_workers) < 10 * 0.001 + 1e-9


def test_calls_that_run_count_before_they_end() -> None:
    queue = FairQueue(enumerate(["slow", "slow", "quick", "quick"]))

    assert queue.start(0.0) == 0
    assert queue.start(0.0) == 2
    queue.finish(2, 0.01)
    assert queue.start(0.2) == 3  # slow has used 0.2 s by now, although its call still runs


def test_draining_returns_the_calls_that_have_not_started() -> None:
    queue = FairQueue(enumerate(["a", "b", "a"]))

    queue.start(0.0)

    assert sorted(queue.drain()) == [1, 2]
    assert queue.waiting == 0


def test_a_call_that_is_put_back_is_its_accounts_next_and_costs_nothing() -> None:
    queue = FairQueue(enumerate(["a", "a", "b"]))

    queue.put_back(queue.start(0.0))

    assert queue.waiting == 3
    order = [queue.start(0.1) for _ in range(3)]
    assert sorted(order) == [0, 1, 2]
    assert order.index(0) < order.index(1)


def test_the_only_call_of_an_account_can_be_put_back() -> None:
    queue = FairQueue([(0, "a")])

    queue.put_back(queue.start(0.0))

    assert (queue.start(0.1), queue.waiting) == (0, 0)


def test_nothing_waits_in_an_empty_batch() -> None:
    assert FairQueue([]).waiting == 0


CALLS = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from([0.001, 0.01, 0.25])), max_size=40
)


@given(CALLS, st.integers(1, 4))
def test_every_call_starts_once_and_an_accounts_calls_in_order(
    calls: list[tuple[str, float]], workers: int
) -> None:
    started_s = _serve(calls, workers)

    assert all(start >= 0 for start in started_s)
    for account in "abcd":
        own = [start for start, (name, _) in zip(started_s, calls, strict=True) if name == account]
        assert own == sorted(own)


@given(st.lists(st.sampled_from([0.001, 0.01, 0.25]), min_size=1, max_size=60))
def test_with_one_worker_the_quick_account_waits_for_its_share_and_one_call(
    slow: list[float],
) -> None:
    calls = [("slow", seconds) for seconds in slow] + [("quick", 0.002)] * 5

    started_s = _serve(calls, workers=1)[len(slow) :]

    for number, start in enumerate(started_s):
        # At most as much service for the other as for oneself, and one call on top.
        assert start <= 2 * number * 0.002 + max(slow) + 1e-9


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_no_worker_is_idle_while_calls_wait(workers: int) -> None:
    calls = [("only", 1.0)] * 6

    assert _serve(calls, workers) == [float(index // workers) for index in range(6)]
