"""Gates that pipeline intents write the same records as gates that take one hop at a time."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from itertools import cycle
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.partition import partition_of
from schemas.record import Outgoing, PartitionId, Record
from schemas.topics import Topic
from signer.core.account import Account
from streams.clearances import ClearanceCache
from streams.gates.passage import GateProjections
from streams.gates.pipelining import PIPELINED_COUNT_MAX, InFlight, Sent, fingerprint_of, run_batch
from streams.gates.stages import GATE_OF, enter
from tests.harness.builders.cases import (
    ACCOUNT,
    NOW_MS,
    RECIPIENT,
    STRANGER,
    intent,
    policy,
    provisioned,
    registered,
    sealed,
)
from tests.harness.sizes import effort

REGISTRY = registered(under=policy(tx_to_allowlist=(RECIPIENT,)))[1]
VIEW = GateProjections(
    REGISTRY, provisioned(REGISTRY).reference, lambda name: Account(account=name)
)
HOME = partition_of(ACCOUNT, REGISTRY.partitions)
SOUND, REFUSED, SIMULATED, GARBAGE = "sound", "refused", "simulated", "garbage"
TERMS: dict[str, dict[str, Any]] = {
    SOUND: {},
    REFUSED: {"to": STRANGER},
    SIMULATED: {"simulate_first": True},
}


def value(kind: str, number: int) -> bytes:
    if kind == GARBAGE:
        return b"{%d}" % number
    terms = TERMS[kind] | {"idempotency_key": f"{number:032x}"}
    return sealed(intent(**terms)).encode()


@dataclass
class Chance:
    """A cycle of numbers that makes every choice of a run."""

    numbers: Iterator[int]

    def below(self, count: int) -> int:
        return next(self.numbers) % count

    def of(self, topics: list[Topic]) -> Topic:
        return topics[self.below(len(topics))]


CHANCES = st.lists(st.integers(0, 59), min_size=1).map(lambda numbers: Chance(cycle(numbers)))
FIRST = Chance(cycle([0]))


@dataclass
class Bus:
    """The topics of one partition, and how far each gate has acknowledged."""

    log: dict[Topic, list[Outgoing]] = field(default_factory=dict)
    acked: dict[Topic, int] = field(default_factory=dict)

    def append(self, event: Outgoing) -> None:
        self.log.setdefault(event.topic, []).append(event)

    def unread(self, topic: Topic) -> list[Record]:
        start = self.acked.get(topic, 0)
        found = self.log.get(topic, [])[start:]
        return [
            Record(topic, HOME, start + n, event.key, event.value, 0)
            for n, event in enumerate(found)
        ]

    def is_drained(self, place: PartitionId) -> bool:
        return not self.unread(place[0])

    def busy(self) -> list[Topic]:
        return [topic for topic in GATE_OF if self.unread(topic)]


@dataclass
class Life:
    """One gates process; it may die after any send, before the acknowledgement."""

    bus: Bus
    in_flight: InFlight
    cache: ClearanceCache = field(default_factory=ClearanceCache)

    def take(self, topic: Topic, count: int, *, dies: bool = False) -> None:
        batch = self.bus.unread(topic)[:count]
        named = [fingerprint_of((one.topic, one.partition), one.key, one.value) for one in batch]
        waiting = [n for n, name in enumerate(named) if not self.in_flight.was_pipelined(name)]
        for sent in self._judge(topic, [batch[n] for n in waiting]):
            self.bus.append(sent.event)
        if dies:
            return
        for n in waiting:
            self.in_flight.note_answered(named[n])
        self.bus.acked[topic] = self.bus.acked.get(topic, 0) + len(batch)

    def _judge(self, topic: Topic, records: list[Record]) -> list[Sent]:
        gate = GATE_OF[topic]
        entered = [enter(gate, record, VIEW, NOW_MS, self.cache) for record in records]
        results = run_batch(gate, entered, VIEW, self.cache, self.in_flight)
        self.in_flight.note_sending(one for one in results if one.event.topic in GATE_OF)
        return results


def alive(bus: Bus, *, pipelined: bool = True, count_max: int = PIPELINED_COUNT_MAX) -> Life:
    return Life(
        bus, InFlight(bus.is_drained if pipelined else lambda _: False, count_max, count_max)
    )


def settled(bus: Bus, life: Life, chance: Chance) -> None:
    while busy := bus.busy():
        life.take(chance.of(busy), 1 + chance.below(5))


def submitted(kinds: list[str]) -> Iterator[Outgoing]:
    for number, kind in enumerate(kinds):
        yield Outgoing(Topic.SUBMITTED, ACCOUNT, value(kind, number))


def hop_by_hop(kinds: list[str]) -> Bus:
    bus = Bus()
    for event in submitted(kinds):
        bus.append(event)
    settled(bus, alive(bus, pipelined=False), FIRST)
    return bus


def firsts(events: list[Outgoing]) -> list[Outgoing]:
    return list(dict.fromkeys(events))


KINDS = st.lists(st.sampled_from([SOUND, REFUSED, SIMULATED, GARBAGE]), max_size=12)


@effort(0.5, soak=1)
@given(KINDS, CHANCES, st.one_of(st.just(PIPELINED_COUNT_MAX), st.integers(1, 12)))
def test_pipelining_writes_what_single_hops_write_and_no_intent_overtakes(
    kinds: list[str], chance: Chance, count_max: int
) -> None:
    bus, coming = Bus(), list(submitted(kinds))
    life = alive(bus, count_max=count_max)
    while (busy := bus.busy()) or coming:
        if coming and (not busy or chance.below(2)):
            bus.append(coming.pop(0))
        else:
            life.take(chance.of(busy), 1 + chance.below(5))
    for topic, events in hop_by_hop(kinds).log.items():
        ours = bus.log[topic]
        if topic is Topic.DECIDED:  # a rejected intent leaves early, at any gate
            assert sorted(ours) == sorted(events)
        elif topic is not Topic.UNATTRIBUTED:
            assert ours == events
    assert passed(bus, kinds) == [n for n, kind in enumerate(kinds) if kind in (SOUND, SIMULATED)]


def passed(bus: Bus, kinds: list[str]) -> list[int]:
    """Return the numbers of the intents that reached simulation, in decision order."""
    led = hop_by_hop(kinds).log
    cleared = [event.value for event in led.get(Topic.CHAIN_CLEARED, [])]
    alone = {
        event.value: n
        for n, kind in enumerate(kinds)
        for event in hop_by_hop([*[GARBAGE] * n, kind]).log.get(Topic.DECIDED, [])
        if kind in (SOUND, SIMULATED)
    }
    decided = [alone[e.value] for e in firsts(bus.log.get(Topic.DECIDED, [])) if e.value in alone]
    assert len(decided) == len(cleared)
    return decided


@effort(0.5, soak=1)
@given(KINDS, CHANCES, st.integers(1, 4))
def test_processes_that_die_between_send_and_ack_lose_nothing_and_keep_the_order(
    kinds: list[str], chance: Chance, deaths: int
) -> None:
    bus = Bus()
    for event in submitted(kinds):
        bus.append(event)
    for _ in range(deaths):
        life = alive(bus)
        for _ in range(chance.below(7)):
            if busy := bus.busy():
                life.take(chance.of(busy), 1 + chance.below(5))
        if busy := bus.busy():
            life.take(chance.of(busy), 1 + chance.below(5), dies=True)
    settled(bus, alive(bus), chance)
    for topic, events in hop_by_hop(kinds).log.items():
        if topic is not Topic.UNATTRIBUTED:
            assert sorted(firsts(bus.log[topic])) == sorted(events)
    assert passed(bus, kinds) == [n for n, kind in enumerate(kinds) if kind in (SOUND, SIMULATED)]


@given(CHANCES)
def test_a_copy_from_another_process_is_judged(chance: Chance) -> None:
    bus = Bus()
    for event in submitted([SOUND]):
        bus.append(event)
    life = alive(bus)
    life.take(Topic.SUBMITTED, 1)
    copied = bus.log[Topic.CAPPED][0]
    bus.append(copied)
    settled(bus, life, chance)
    assert bus.log[Topic.CAPPED] == [copied, copied]
    assert len(bus.log[Topic.DECIDED]) == 2
    assert len(set(bus.log[Topic.DECIDED])) == 1


def test_after_a_rebalance_nothing_counts_as_pipelined() -> None:
    bus = Bus()
    for event in submitted([SOUND, SOUND]):
        bus.append(event)
    life = alive(bus)
    life.take(Topic.SUBMITTED, 2)
    life.in_flight.clear()
    settled(bus, life, FIRST)
    assert len(bus.log[Topic.DECIDED]) > 2
    assert len(set(bus.log[Topic.DECIDED])) == 2


@given(st.sampled_from([SOUND, SIMULATED]), st.integers(1, 8))
def test_memory_is_bounded_while_delivery_lags(kind: str, count_max: int) -> None:
    bus = Bus()
    life = alive(bus, count_max=count_max)
    for event in submitted([kind] * 60):
        bus.append(event)
        life.take(Topic.SUBMITTED, 1)
    assert remembered(life.in_flight) <= 2 * count_max + 2 * len(GATE_OF)


def remembered(in_flight: InFlight) -> int:
    values = [getattr(in_flight, one.name) for one in fields(in_flight)]
    tables = [table for one in values if isinstance(one, dict) for table in (one, *one.values())]
    return sum(len(table) for table in tables if isinstance(table, dict))
