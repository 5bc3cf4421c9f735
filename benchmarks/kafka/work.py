"""Work of one relay hop: nothing, or exactly the work of the pipeline's stage."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple, TypeAlias

from aiokafka.structs import ConsumerRecord

from benchmarks.fixtures import NoOutcomes
from schemas.record import REGISTRY_PARTITION, Outgoing, Record
from schemas.topics import Topic
from signer.core.registry.registry import Registry
from signer.stage import loading
from signer.stage.slot import Slot
from signer.stage.stage import Arrival
from signer.stage.state import SlotState
from sixgate.clocks import wall_ms
from sixgate.data_folder.folder import SLOT, Folder
from sixgate.services.slot import make_slot, open_signer_keys
from streams.clearances import ClearanceCache, receive
from streams.gates.passage import GateProjections, RuleGate
from streams.gates.stages import GATE_OF, Entered, enter, run_gates
from streams.kafka.broker import Broker
from streams.kafka.projections import Projections
from streams.kafka.reader import replay
from streams.kafka.records import decoded_key
from streams.kafka.state import StateTable, key_of, value_of

STAGES = (*GATE_OF, Topic.DECIDED)  # the pipeline's input topic of each hop


class Moved(NamedTuple):
    """A record that a hop sends, and its partition."""

    key: bytes
    value: bytes
    partition: int


Move: TypeAlias = Callable[[Sequence[Record]], list[Moved]]


def record_of(hop: int, message: "ConsumerRecord[bytes | None, bytes | None]") -> Record:
    """Return a message as the record that the pipeline's stage would read."""
    key, value = decoded_key(message.key), message.value or b""
    return Record(STAGES[hop], message.partition, message.offset, key, value, message.timestamp)


async def moves(
    hops: range, broker: Broker, folder: Path | None, opened: AsyncExitStack
) -> dict[int, Move]:
    """Return the work of each hop of a process; without a data folder they only move records."""
    if folder is None:
        return dict.fromkeys(hops, unchanged)
    trust_root, clearances = Folder(folder).trust().trust_root, ClearanceCache()
    known = await opened.enter_async_context(Projections(broker, trust_root, wall_ms))
    slot, table = await loaded_slot(broker, Folder(folder))
    gates = {n: gate_move(gate, known.view, clearances) for n, gate in enumerate(GATE_OF.values())}
    return {hop: gates.get(hop) or signing_move(slot, table) for hop in hops}


def unchanged(records: Sequence[Record]) -> list[Moved]:
    return [Moved(r.key.encode(), r.value, r.partition) for r in records]


def gate_move(gate: RuleGate, view: GateProjections, clearances: ClearanceCache) -> Move:
    def move(records: Sequence[Record]) -> list[Moved]:
        now_ms = wall_ms()
        entered = [enter(gate, record, view, now_ms, clearances) for record in records]
        left = [one_hop(gate, one, view, clearances) for one in entered]
        return [_moved(r, out) for r, out in zip(records, left, strict=True)]

    return move


def one_hop(
    gate: RuleGate, entered: Entered, view: GateProjections, clearances: ClearanceCache
) -> Outgoing:
    """Return a gate's output for one record, with no later gate in the same process."""
    (left,) = run_gates(gate, entered, view, clearances, lambda _: False)
    return left


def signing_move(slot: Slot, table: StateTable) -> Move:
    """Decide, protect the state and sign like the signer; send the signed transactions."""

    def move(records: Sequence[Record]) -> list[Moved]:
        partition_by_key = {r.key: r.partition for r in records}
        return [
            Moved(event.key.encode(), event.value, partition_by_key[event.key])
            for event in signed(slot, table, records)
            if event.topic is Topic.SIGNED
        ]

    return move


def signed(slot: Slot, table: StateTable, records: Sequence[Record]) -> list[Outgoing]:
    """Return every event of a batch, and apply its state changes."""
    received = [receive(r, slot.registry.partitions) for r in records]
    arrivals = [Arrival(one.source, one.clearance) for one in received]
    events: list[Outgoing] = []
    for commit in slot.judge(arrivals, [], wall_ms(), {}):
        for write in commit.writes:
            key_of(write.key), value_of(write)
            table.apply(write)
        events += commit.events
    return events


async def loaded_slot(broker: Broker, folder: Folder) -> tuple[Slot, StateTable]:
    """Return a slot with registry and keys loaded, and empty state."""
    trust, table = folder.trust(), StateTable()
    registry = [record async for record in replay(broker, [REGISTRY_PARTITION])]
    places = [(Topic.VAULT, number) for number in range(trust.partitions)]
    vault = [record async for record in replay(broker, places)]
    held = open_signer_keys(folder)
    slot = make_slot(held, Registry(trust.trust_root), table, SLOT, NoOutcomes(), wall_ms)
    seen = SlotState(registry_sequence=len(registry), key_count=len(vault))
    loading.load(slot.registry, slot.vault, registry, vault, seen)
    return slot, table


def _moved(record: Record, out: Outgoing) -> Moved:
    assert out.topic not in (Topic.UNATTRIBUTED, Topic.AUDIT), out.value
    return Moved(out.key.encode(), out.value, record.partition)
