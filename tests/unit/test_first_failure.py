"""The first error of any thread ends a process, and a stop is no error."""

import asyncio
import threading

import pytest

from sixgate.services.first_failure import FirstFailure
from streams.kafka.errors import KafkaWriteUnknownError


async def never() -> None:
    await asyncio.Event().wait()


def test_first_error_of_another_thread_is_raised() -> None:
    async def run() -> None:
        failure = FirstFailure()

        def fail() -> None:
            failure(KafkaWriteUnknownError("first"))
            failure(ValueError("second"))

        threading.Thread(target=fail).start()
        await failure.wait(asyncio.Event(), never())

    with pytest.raises(KafkaWriteUnknownError, match="first"):
        asyncio.run(run())


def test_error_of_the_work_is_raised() -> None:
    async def run() -> None:
        async def work() -> None:
            raise KafkaWriteUnknownError("of the work")

        await FirstFailure().wait(asyncio.Event(), work())

    with pytest.raises(KafkaWriteUnknownError, match="of the work"):
        asyncio.run(run())


def test_stop_ends_the_work_without_an_error() -> None:
    async def run() -> FirstFailure:
        failure, stop = FirstFailure(), asyncio.Event()
        stop.set()
        await failure.wait(stop, never())
        return failure

    ended = asyncio.run(run())
    ended(ValueError("after the end of the loop"))
