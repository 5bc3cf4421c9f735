"""Batches of the Faust agents: all ready events, in order, without waiting for more."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from types import SimpleNamespace
from typing import Any, NoReturn, cast

import pytest
from faust.types import TP, Message
from mode.utils.queues import FlowControlEvent, ThrowableQueue

from streams.kafka.broker import Broker
from streams.runners.faust_agent import BATCH_COUNT_MAX, EndProcess, Work, add_agent, batches
from streams.runners.faust_app import GatesApp, gates_app

AT = TP("intents.submitted", 0)


async def batched(count: int, together: int) -> list[list[int]]:
    """Return the batches of ``count`` numbers, ``together`` of them per loop turn."""
    queue: asyncio.Queue[int] = asyncio.Queue()

    async def deliver() -> None:
        for number in range(count):
            queue.put_nowait(number)
            if number % together == together - 1:
                await asyncio.sleep(0)

    delivering, found = asyncio.create_task(deliver()), []
    async with asyncio.timeout(60):
        async for batch in batches(queue):
            found.append(batch)
            if batch[-1] == count - 1:
                break
    await delivering
    return found


@pytest.mark.parametrize("together", [1, 7, 100, 5_000])
def test_nothing_is_lost_doubled_or_out_of_order(together: int) -> None:
    found = asyncio.run(batched(1_234, together))
    assert list(chain.from_iterable(found)) == list(range(1_234))
    assert max(map(len, found)) <= BATCH_COUNT_MAX


def test_events_of_consecutive_turns_form_one_batch() -> None:
    assert len(asyncio.run(batched(10 * BATCH_COUNT_MAX, 10))) < 20


def test_a_batch_does_not_wait_for_more_events() -> None:
    assert asyncio.run(batched(1, 1)) == [[0]]


def test_batches_end_when_faust_stops_its_queue() -> None:
    async def until_stopped() -> list[list[int]]:
        queue: ThrowableQueue[int] = ThrowableQueue(flow_control=FlowControlEvent())
        queue.put_nowait(1)
        taking = asyncio.create_task(_all(queue))
        while not queue.empty():  # noqa: ASYNC110 - the queue has no event for it
            await asyncio.sleep(0)
        await queue.throw(StopAsyncIteration())
        return await taking

    assert asyncio.run(until_stopped()) == [[1]]


async def _all(queue: "asyncio.Queue[int]") -> list[list[int]]:
    return [batch async for batch in batches(queue)]


def event(generation: int) -> Any:
    message = Message(
        *AT, offset=generation, timestamp=0, timestamp_type=0, headers=None, key=b"", value=b"",
        checksum=None, tp=AT, generation_id=generation,
    )  # fmt: skip
    return SimpleNamespace(message=message)


async def accepted(delivered: Sequence[Any], *, moving: bool) -> tuple[list[Any], set[Any]]:
    """Return the events that a member of generation 7 accepts, and its unacknowledged messages."""
    app = gates_app(Broker("127.0.0.1:9", "sixgate-test"), "gates-0", end)
    app.consumer_generation_id = 7
    if not moving:
        app.flow_control.resume()
    consumer: Any = app.consumer
    consumer._thread.loop.close()  # noqa: SLF001 - made with it, and closed by no stop
    return app.accept(delivered), set(consumer.unacked)


def test_events_delivered_before_a_rebalance_are_dropped() -> None:
    ours, old = event(7), event(6)
    assert asyncio.run(accepted([old, ours], moving=False)) == ([ours], {ours.message})


def test_no_work_begins_during_a_rebalance() -> None:
    assert asyncio.run(accepted([event(7)], moving=True)) == ([], set())


class Delivered:
    """A Faust event that records its acknowledgement."""

    def __init__(self) -> None:
        self.message, self.acked = object(), False

    def ack(self) -> None:
        self.acked = True


class Ended(Exception):  # noqa: N818 - simulates the end of the process
    pass


def end(error: BaseException) -> NoReturn:
    raise Ended from error


def agent_on(delivered: Delivered, work: Work, end_process: EndProcess = end) -> Any:
    """Return the coroutine of an agent to which Faust delivered one event."""
    agents: list[Any] = []
    app = SimpleNamespace(
        topic=lambda *_, **__: None, agent=lambda *_, **__: agents.append, accept=list
    )
    add_agent(cast(GatesApp, app), "intents.submitted", "admission", work, end_process)
    queue: asyncio.Queue[Delivered] = asyncio.Queue()
    queue.put_nowait(delivered)
    return agents[0](SimpleNamespace(channel=SimpleNamespace(queue=queue)))


def test_no_event_is_acknowledged_before_its_work_is_done() -> None:
    async def acked_early() -> bool:
        delivered, working, done = Delivered(), asyncio.Event(), asyncio.Event()

        async def work(_: Sequence[Message]) -> None:
            working.set()
            await done.wait()

        running = asyncio.create_task(agent_on(delivered, work))
        async with asyncio.timeout(60):
            await working.wait()
            early = delivered.acked
            done.set()
            while not delivered.acked:  # noqa: ASYNC110 - an ack has no event
                await asyncio.sleep(0)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        return early

    assert not asyncio.run(acked_early())


def test_failing_work_ends_the_process_and_acknowledges_nothing() -> None:
    delivered = Delivered()

    async def work(_: Sequence[Message]) -> None:
        raise OSError

    async def run() -> None:
        async with asyncio.timeout(60):
            await agent_on(delivered, work)

    with pytest.raises(Ended):
        asyncio.run(run())
    assert not delivered.acked


@pytest.mark.parametrize("part", ["the consumer", "its thread"])
def test_a_failed_part_of_faust_ends_the_process_and_prints_nothing(
    part: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Faust would go on without the part: nothing is read, and a stop waits for the part."""
    ends: list[BaseException] = []
    failure = RuntimeError("the group does not exist")

    async def fail() -> None:
        app = gates_app(
            Broker("127.0.0.1:9", "sixgate-test"), "gates-0", cast(EndProcess, ends.append)
        )
        consumer: Any = app.consumer
        thread = consumer._thread  # noqa: SLF001 - the part that dies
        if part == "its thread":
            thread.on_crash("{0!r} crashed: {1!r}", thread.label, failure)
        thread.loop.close()  # made with it, and closed by no stop
        await (consumer if part == "the consumer" else thread).crash(failure)

    asyncio.run(fail())
    assert ends == [failure]
    assert capfd.readouterr().err == ""
