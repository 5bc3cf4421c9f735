"""Appends to a topic from threads other than the loop's; an unknown result ends the process."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress

from schemas.record import Outgoing
from streams.kafka.broker import Broker
from streams.kafka.errors import KafkaBusError, KafkaDeniedError, KafkaWriteUnknownError
from streams.kafka.producer import Sender

RECORD_S_MAX, ENDING_S_MAX = 15.0, 5.0


@asynccontextmanager
async def sending(broker: Broker, partitions: Callable[[], int]) -> AsyncIterator[Sender]:
    """Lend a producer; closing waits at most ``ENDING_S_MAX`` for outstanding answers."""
    sender = await Sender(broker, partitions).__aenter__()
    try:
        yield sender
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(ENDING_S_MAX):
                await sender.__aexit__()


class Appender:
    """Appends through a sender that runs on the loop; ``what`` names the record in errors."""

    def __init__(self, sender: Sender, loop: asyncio.AbstractEventLoop, what: str) -> None:
        self._sender = sender
        self._loop = loop
        self._what = what

    def append(self, events: Sequence[Outgoing]) -> None:
        """Append events, durable on return; raises what ``end`` raises."""
        self.end(self.begin(events))

    def begin(self, events: Sequence[Outgoing]) -> "Future[None]":
        """Hand events to the producer, in the order of these calls."""
        return asyncio.run_coroutine_threadsafe(self._sender.send(events), self._loop)

    def end(self, waiting: "Future[None]") -> None:
        """Wait until events handed over by ``begin`` are durable.

        Raises ``KafkaDeniedError`` (nothing was written) and ``KafkaWriteUnknownError``: only a new
        start can find out whether they were.
        """
        try:
            waiting.result(RECORD_S_MAX)
        except TimeoutError:
            raise self._unknown(f"Kafka did not answer within {RECORD_S_MAX:g} s.") from None
        except KafkaDeniedError:
            raise
        except KafkaBusError as error:
            raise self._unknown(str(error)) from error

    def _unknown(self, why: str) -> KafkaWriteUnknownError:
        return KafkaWriteUnknownError(f"It is not known whether {self._what} was written. {why}")
