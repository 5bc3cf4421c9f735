"""Outcomes: waits for the ends of submitted intents, and follows signed transactions."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import suppress
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    KafkaError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from sixgate_client.errors import ConnectionFailedError, Json, SixgateError
from sixgate_client.kafka import wire
from sixgate_client.kafka.wire import ForgedEventError, Outcome, Receipt

# The signer remembers an idempotency key for 24 hours, unless a setting says longer.
EARLIER_S = 25 * 3600
KEPT_MAX = 10_000
_NOTICES = ((wire.UNATTRIBUTED, wire.AUDIT), (wire.UNATTRIBUTED,))
_DENIED = (TopicAuthorizationFailedError, UnknownTopicOrPartitionError)
# What a signed transaction shows of its intent; the rest is how to decide, or was filled in.
_VISIBLE = ("chain_id", "to", "value_wei", "data", "key_path", "tx_type", "nonce", "gas_limit")


class UndecidedError(SixgateError):
    """No end arrived in time; ``first`` is the end of an earlier intent with the same key."""

    def __init__(self, receipt: Receipt, first: Outcome | None) -> None:
        found = " An earlier intent with its idempotency key has ended." if first else ""
        super().__init__(f"intent {receipt.intent} has no end yet.{found}")
        self.receipt = receipt
        self.first = first


class Outcomes:
    """Waits for one account's outcomes; enter it before submitting, in ``async with``.

    ``signer_keys`` are the public keys of the signers to trust. ``kafka`` are options of
    ``AIOKafkaConsumer``. It needs the right to read ``outcomes``. With rights on
    ``intents.unattributed`` and ``audit`` it also sees intents that have no outcome.
    """

    def __init__(
        self,
        brokers: str,
        signer_keys: Iterable[str],
        *,
        account: str,
        prefix: str = "",
        **kafka: Any,
    ) -> None:
        self._keys = tuple(signer_keys)
        self._account, self._prefix = account, prefix
        self._options = _options(brokers, kafka)
        self._start: dict[TopicPartition, int] = {}
        self._ended: OrderedDict[str, Outcome] = OrderedDict()
        self._by_key: OrderedDict[tuple[str, ...], Outcome] = OrderedDict()
        self._repeated: OrderedDict[str, str] = OrderedDict()
        self._returned: OrderedDict[str, None] = OrderedDict()
        self._changed = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []
        self._consumers: list[Any] = []
        self._failed: BaseException | None = None

    async def __aenter__(self) -> Self:
        try:
            outcomes = await self._reader((wire.OUTCOMES,))
            self._start = {at: await outcomes.position(at) for at in outcomes.assignment()}
            for topics in _NOTICES:
                with suppress(*_DENIED):
                    await self._reader(topics)
                    break
        except KafkaError as error:
            await self.__aexit__()
            raise ConnectionFailedError(f"no broker answered: {error}") from error
        except BaseException:
            await self.__aexit__()
            raise
        self._tasks = [asyncio.create_task(self._read(one)) for one in self._consumers]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for consumer in self._consumers:
            await _stop(consumer)

    async def wait(self, receipt: Receipt, deadline_s: float = 60.0) -> Outcome:
        """Return how a submitted intent ended; raise ``UndecidedError`` after ``deadline_s``.

        An intent that was submitted before returns its first end, with ``duplicate``.
        """
        try:
            async with asyncio.timeout(deadline_s):
                if receipt.repeats and (first := await self._earlier(receipt)) is not None:
                    self._by_key.setdefault(_key(receipt.content), first)
                async with self._changed:
                    while (end := self._end(receipt)) is None:
                        await self._changed.wait()
        except TimeoutError:
            raise UndecidedError(receipt, self._by_key.get(_key(receipt.content))) from None
        _keep(self._returned, receipt.intent, None)
        return end

    def _end(self, receipt: Receipt) -> Outcome | None:
        if self._failed is not None:
            raise ConnectionFailedError(f"reading failed: {self._failed}")
        first = self._by_key.get(_key(receipt.content)) if receipt.repeats else None
        if first is not None and first.event["intent"] == receipt.intent:
            seen = receipt.intent in self._returned or receipt.intent not in self._ended
            return _duplicate(first) if seen else first
        for name in (receipt.intent, wire.event_id(wire.UNATTRIBUTED, receipt.place)):
            if name in self._ended:
                return self._ended[name]
        if first is None:
            return None
        # The signer's notice names the intent whose outcome this one shares. Notices are not
        # signed, so it counts only for an outcome of the same agent and key.
        named = self._repeated.get(receipt.intent) == first.event["intent"]
        return _duplicate(first) if named or _is_same(receipt, first) else None

    async def _reader(self, topics: Sequence[str]) -> Any:
        """Start a consumer at the end of the account's partition of each topic."""
        consumer = AIOKafkaConsumer(*(self._prefix + topic for topic in topics), **self._options)
        try:
            await consumer.start()
            partitions = [self._partition(consumer, topic) for topic in topics]
            consumer.unsubscribe()
            consumer.assign(partitions)
            for at, end in (await consumer.end_offsets(partitions)).items():
                consumer.seek(at, end)
        except BaseException:
            await _stop(consumer)
            raise
        self._consumers.append(consumer)
        return consumer

    def _partition(self, consumer: Any, topic: str) -> TopicPartition:
        count = len(consumer.partitions_for_topic(self._prefix + topic))
        at = wire.partition_of(self._account, count) if topic == wire.OUTCOMES else 0
        return TopicPartition(self._prefix + topic, at)

    async def _read(self, consumer: Any) -> None:
        try:
            async for record in consumer:
                with suppress(ForgedEventError):
                    self._take(record.topic.removeprefix(self._prefix), record.value)
                    async with self._changed:
                        self._changed.notify_all()
        except KafkaError as error:
            self._failed = error
            async with self._changed:
                self._changed.notify_all()

    def _take(self, topic: str, value: bytes) -> None:
        if topic == wire.OUTCOMES:
            outcome = wire.verified(value, self._keys)
            _keep(self._ended, outcome.event["intent"], outcome)
            _keep(self._by_key, _key(outcome.event), outcome)
            return
        event = wire.parsed(value)
        if topic == wire.UNATTRIBUTED:
            _keep(self._ended, str(event.get("id")), Outcome("unattributed", event))
        elif event.get("action") == "intent.duplicate":
            _keep(self._repeated, str(event.get("subject")), str(event.get("detail")))

    async def _earlier(self, receipt: Receipt) -> Outcome | None:
        """Return the first end of an intent with this key, from before this object was entered."""
        (at,) = self._start
        since_ms = int((time.time() - EARLIER_S) * 1000)
        consumer = AIOKafkaConsumer(**self._options)
        try:
            await consumer.start()
            consumer.assign([at])
            found = (await consumer.offsets_for_times({at: since_ms}))[at]
            if found is None:
                return None
            consumer.seek(at, found.offset)
            return await self._search(consumer, at, receipt)
        except KafkaError as error:
            raise ConnectionFailedError(f"reading failed: {error}") from error
        finally:
            await _stop(consumer)

    async def _search(self, consumer: Any, at: TopicPartition, receipt: Receipt) -> Outcome | None:
        # A transaction marker has an offset and is no record, so the position decides.
        while await consumer.position(at) < self._start[at]:
            for record in (await consumer.getmany(at, timeout_ms=1_000)).get(at, ()):
                with suppress(ForgedEventError):
                    if _key(wire.parsed(record.value)) == _key(receipt.content):
                        return wire.verified(record.value, self._keys)
        return None


async def follow(
    brokers: str,
    signer_keys: Iterable[str],
    *,
    group: str,
    topic: str = wire.SIGNED,
    prefix: str = "",
    **kafka: Any,
) -> AsyncGenerator[Outcome, None]:
    """Yield the verified outcomes of a topic, from the consumer group's position on.

    Records that no trusted signer signed are skipped: others may be able to write to the topic.
    """
    keys = tuple(signer_keys)
    options = _options(brokers, {"group_id": prefix + group, "auto_offset_reset": "earliest"})
    consumer = AIOKafkaConsumer(prefix + topic, **(options | kafka))
    try:
        await consumer.start()
        async for record in consumer:
            with suppress(ForgedEventError):
                yield wire.verified(record.value, keys)
    except KafkaError as error:
        raise ConnectionFailedError(f"reading failed: {error}") from error
    finally:
        await _stop(consumer)


def _options(brokers: str, kafka: dict[str, Any]) -> dict[str, Any]:
    # Only committed records: no outcome of a transaction that is aborted later.
    return {"bootstrap_servers": brokers, "isolation_level": "read_committed"} | kafka


def _key(content: Json) -> tuple[str, ...]:
    """Return what an idempotency key is unique in, and the key."""
    return tuple(str(content.get(name)) for name in ("account", "agent", "idempotency_key"))


def _is_same(receipt: Receipt, first: Outcome) -> bool:
    """Return whether an earlier end is a signed transaction with every field that was asked for.

    Whether another end is that of the same request, only the signer knows: its notice or its
    refusal follows.
    """
    event = first.event
    asked = {name: receipt.content[name] for name in _VISIBLE if name in receipt.content}
    asked |= {name: value for name, value in receipt.content.items() if "_per_gas" in name}
    return event["type"] == "transaction.signed" and asked.items() <= event.items()


def _duplicate(outcome: Outcome) -> Outcome:
    return Outcome(outcome.state, outcome.event, duplicate=True)


def _keep(kept: "OrderedDict[Any, Any]", name: object, value: object) -> None:
    # Of two events with one id the first counts.
    kept.setdefault(name, value)
    if len(kept) > KEPT_MAX:
        kept.popitem(last=False)


async def _stop(consumer: Any) -> None:
    try:
        await consumer.stop()
    except asyncio.CancelledError:
        # aiokafka leaks the cancellation of its own fetches; only the caller's is passed on.
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
