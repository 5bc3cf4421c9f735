"""Faust app of the gates: a static group member with manual acknowledgement; stores nothing."""

import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from time import monotonic
from typing import Any, cast

import faust
from faust.events import Event
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from schemas.record import PartitionId
from streams.kafka.access import GATES_GROUP
from streams.kafka.broker import Broker
from streams.kafka.names import Names
from streams.kafka.reader import PartitionLag

_LOG = logging.getLogger("sixgate.gates")
COMMIT_S = 0.25  # a crash repeats what was acknowledged in this time, and all that was not
SESSION_S = 10.0
BUFFER_COUNT_MAX = 1_024


class _Consumer(driver.Consumer):
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

    names: Names  # set by gates_app: without a default, a prefix cannot be forgotten

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

    def _create_directories(self) -> None:
        """Create no directories: nothing is stored."""

    def _new_transport(self) -> driver.Transport:
        return _Transport(self.conf.broker_consumer, self)


def gates_app(broker: Broker, instance: str) -> GatesApp:
    """Return an app that joins the gates' consumer group as static member ``instance``."""
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
    app.names = broker.names
    return app
