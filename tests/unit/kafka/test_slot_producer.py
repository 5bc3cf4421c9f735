"""The slot producer: errors of a transaction that ends while records are sent."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import (
    IllegalOperation,
    KafkaConnectionError,
    KafkaError,
    ProducerFenced,
    RequestTimedOutError,
)
from aiokafka.producer.transaction_manager import TransactionManager

from schemas.record import Outgoing
from schemas.topics import Topic
from streams.kafka.broker import Broker
from streams.kafka.errors import KafkaBusError, KafkaFencedError, KafkaWriteUnknownError
from streams.kafka.names import Names
from streams.kafka.producer import SlotProducer

EVENTS = [Outgoing(Topic.AUDIT, "", b"{}") for _ in range(3)]


class Library:
    """aiokafka's transactional producer, with a real transaction manager."""

    async def begin_transaction(self) -> None:
        self._txn_manager = TransactionManager("slot", 1_000)
        self._txn_manager.set_pid_and_epoch(1, 1)
        self._txn_manager.begin_transaction()


def committed(library: Any) -> None:
    broker = SimpleNamespace(producer=lambda **_: library, names=Names())
    asyncio.run(SlotProducer(cast(Broker, broker), "slot", 1, 0).commit(EVENTS, []))


class Ending(Library):
    """A producer with a transaction that ends after some records."""

    def __init__(self, accepted: int, why: KafkaError) -> None:
        self._left, self._why = accepted, why

    async def send(self, *_: object) -> "asyncio.Future[object]":
        if not self._left:
            self._txn_manager.fatal_error(self._why)
            raise IllegalOperation("Can't send messages while not in transaction")
        self._left -= 1
        sent: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        sent.set_exception(self._why)
        return sent


@pytest.mark.parametrize(
    ("accepted", "why", "error"),
    [
        (2, ProducerFenced(), KafkaFencedError),
        (1, KafkaError("the log is full"), KafkaWriteUnknownError),
        (0, ProducerFenced(), KafkaFencedError),  # nothing was sent: the transaction knows
        (0, KafkaError("the log is full"), KafkaWriteUnknownError),
    ],
)
def test_the_error_of_an_earlier_record_explains_the_end_of_a_transaction(
    accepted: int, why: KafkaError, error: type[KafkaBusError]
) -> None:
    with pytest.raises(error):
        committed(Ending(accepted, why))


class Committing(Library):
    """A producer that accepts records, then fails at the next one or at the commit."""

    def __init__(self, why: BaseException, left: int = 1_000) -> None:
        self._why, self._left = why, left

    async def send(self, *_: object) -> "asyncio.Future[object]":
        if not self._left:
            raise self._why
        self._left -= 1
        sent: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        sent.set_result(None)
        return sent

    async def commit_transaction(self) -> None:
        raise self._why


@pytest.mark.parametrize(
    "why", [RequestTimedOutError(), KafkaConnectionError(), TimeoutError(), OSError()], ids=repr
)
def test_a_commit_without_an_answer_is_unknown(why: BaseException) -> None:
    with pytest.raises(KafkaWriteUnknownError):
        committed(Committing(why))


def test_a_transaction_that_ended_for_an_unknown_reason_is_unknown() -> None:
    with pytest.raises(KafkaWriteUnknownError):
        committed(Committing(IllegalOperation("not in transaction"), left=1))
