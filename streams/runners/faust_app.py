"""Faust app of the gates: a static group member with manual acknowledgement; stores nothing."""

import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from time import monotonic
from typing import Any, NoReturn, TypeAlias, cast

import faust
from aiokafka import AIOKafkaConsumer
from faust.events import Event
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from schemas.record import PartitionId
from streams.kafka.access import GATES_GROUP
from streams.kafka.broker import Broker, retry_ms
from streams.kafka.names import Names
from streams.kafka.reader import PartitionLag

EndProcess: TypeAlias = Callable[[BaseException], NoReturn]
_LOG = logging.getLogger("sixgate.gates")
COMMIT_S = 0.25  # a crash repeats what was acknowledged in this time, and all that was not
SESSION_S = 10.0
BUFFER_COUNT_MAX = 1_024
MEMBER_RETRY_MS = (250, 350)  # less than other readers: a rebalance waits for it, too


class _ConsumerThread(driver.AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:
        """Return Faust's consumer with another wait: Faust has no setting for it."""
        consumer = super()._create_worker_consumer(transport)
        consumer._retry_backoff_ms = retry_ms(MEMBER_RETRY_MS)  # noqa: SLF001 - read when it starts
        return consumer

    def on_crash(self, *_: Any, **__: Any) -> None:
        """Print no traceback: the app logs the error when it ends the process."""


class _Consumer(driver.Consumer):
    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def wait_first(self, *waits: Any, timeout: Any = None) -> Any:  # noqa: ASYNC109 - Faust's
        """Deliver a message without the four tasks that Faust creates per message.

        Faust waits for a delivery or the suspension of the flow. While the flow is active, this
        awaits the delivery alone.
        """
        delivery, *others = waits
        if not isinstance(delivery, Coroutine) or self.suspend_flow.is_set():
            return await super().wait_first(*waits, timeout=timeout)
        for other in others:
            other.close()
        return await delivery

    def fetched(self, at: TP) -> int | None:
        """Return the next offset to fetch, None before the first one is known."""
        subscribed = self._thread._ensure_consumer()._subscription.subscription  # noqa: SLF001 - no public way without waiting
        state = subscribed.assignment.state_value(at)
        return state.position if state.has_valid_position else None


class _Transport(driver.Transport):
    Consumer = _Consumer


class GatesApp(faust.App):
    """The app. Its agents send through ``Sender`` and acknowledge afterwards."""

    # Set by gates_app: without a default, a prefix cannot be forgotten.
    names: Names
    end_process: EndProcess

    def lag(self) -> Iterator[PartitionLag]:
        """Yield position and end of every assigned partition.

        The position is the next offset to fetch, after transaction markers, if everything
        delivered is acknowledged; otherwise it is the committed offset.
        """
        consumer: Any = self.consumer
        unacked = tuple(consumer._unacked_messages)  # noqa: SLF001 - no public way
        at_work = {message.tp for message in unacked if not message.acked}
        for at in consumer.assignment():
            end = consumer.highwater(at)
            committed = consumer._committed_offset.get(at) or 0  # noqa: SLF001
            position = committed if at in at_work else consumer.fetched(at)
            if end is not None and position is not None:
                yield PartitionLag(self.names.label(at), position, end)

    def is_drained(self, partition_id: PartitionId) -> bool:
        """Return whether this member acknowledged and committed everything in a partition."""
        topic, partition = partition_id
        consumer, at = cast(Any, self.consumer), TP(self.names.of(topic), partition)
        end = consumer.highwater(at)
        committed = consumer._committed_offset.get(at) or 0  # noqa: SLF001
        return at in consumer.assignment() and end is not None and committed >= end

    def accept(self, delivered: Sequence[Event]) -> list[Event]:
        """Start tracking delivered events; drop those from before a rebalance.

        Kafka delivers the dropped ones again, to the member that owns their partition now.
        """
        if not self.flow_control.is_active():
            return []
        consumer, inbound_time = self.consumer, self.monitor.stream_inbound_time
        ours = [e for e in delivered if e.message.generation_id == self.consumer_generation_id]
        for event in ours:
            event.message.tracked = True
            consumer.track_message(event.message)
            inbound_time[event.message.tp] = monotonic()
        return ours

    def on_rebalance(self, act: Callable[[], None]) -> None:
        """Call ``act`` whenever partitions are assigned or revoked."""
        for signal, event in (
            (self.on_partitions_revoked, "gates.partitions_revoked"),
            (self.on_partitions_assigned, "gates.partitions_assigned"),
        ):
            signal.connect(self._rebalanced(event, act))

    def _rebalanced(self, event: str, act: Callable[[], None]) -> Callable[..., Awaitable[None]]:
        async def rebalanced(*given: Any, **_: Any) -> None:
            act()
            partitions = sorted(self.names.label(at) for at in given[-1])
            _LOG.info(event, extra={"partitions": partitions})

        return rebalanced

    def _crash(self, reason: BaseException) -> None:
        """End the process: a part has failed, in any thread, and nothing would start it again."""
        if self.should_stop:
            super()._crash(reason)
        else:
            self.end_process(reason)

    def _create_directories(self) -> None:
        """Create no directories: nothing is stored."""

    def _new_transport(self) -> driver.Transport:
        return _Transport(self.conf.broker_consumer, self)


def gates_app(broker: Broker, instance: str, end_process: EndProcess) -> GatesApp:
    """Return an app that joins the gates' consumer group as static member ``instance``.

    ``end_process`` gets the error of a part of Faust that failed.
    """
    app = GatesApp(
        broker.names.of(GATES_GROUP),
        broker=[f"kafka://{server}" for server in broker.servers.split(",")],
        broker_client_id=f"{broker.client}-{instance}",
        broker_credentials=faust.SSLCredentials(broker.tls.context()) if broker.tls else None,
        broker_commit_interval=COMMIT_S,
        broker_session_timeout=SESSION_S,
        consumer_group_instance_id=broker.names.of(instance),
        consumer_auto_offset_reset="earliest",
        stream_buffer_maxsize=BUFFER_COUNT_MAX,
        stream_wait_empty=False,
        store="memory://",
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
    )
    app.names, app.end_process = broker.names, end_process
    return app
