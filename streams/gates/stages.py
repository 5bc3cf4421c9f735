"""Runs gates on single records, for runners with a topic between every two gates."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from schemas.dsse import Envelope
from schemas.ledger.audit import audited, input_digest
from schemas.record import Outgoing, Record
from schemas.topics import INTERNAL_BYTES_MAX, Topic
from signer.core.rules.simulation import required
from streams.clearances import (
    ClearanceCache,
    ClearanceError,
    DecodedClearance,
    Received,
    receive,
)
from streams.gates import admission
from streams.gates.passage import (
    ADMISSION,
    IN_ORDER,
    SIMULATION,
    GateProjections,
    Passage,
    RuleGate,
    outgoing,
    resume,
)

# Each gate reads what the one before it writes.
GATE_OF = dict(zip((Topic.SUBMITTED, *(gate.writes for gate in IN_ORDER)), IN_ORDER, strict=False))
CLEARANCE_BYTES_MAX = INTERNAL_BYTES_MAX // 2
"""Far above any clearance of our gates, and leaves room for a verdict and a report."""
Entered: TypeAlias = Passage | Outgoing
IsOpen: TypeAlias = Callable[[Outgoing], bool]
Simulate: TypeAlias = Callable[[Sequence[Passage]], Sequence[Envelope]]


def enter(
    gate: RuleGate, record: Record, view: GateProjections, at_ms: int, cache: ClearanceCache
) -> Entered:
    """Return the intent in a record, or the event that ends a record without a valid intent."""
    if gate is ADMISSION:
        admitted = admission.admit(record, view, at_ms)
        if isinstance(admitted, Passage):
            return admitted
        return Outgoing(Topic.UNATTRIBUTED, "", admitted.encode())
    try:
        received = receive(record, view.registry.partitions, cache)
        _check_size(gate, record, received)
        return resume(received, view, at_ms)
    except ClearanceError as error:
        source, subject = record.source, input_digest(record.value)
        return audited(
            "record.refused", source, subject, str(error), actor=gate.gate.value, at_ms=at_ms
        )


def _check_size(gate: RuleGate, record: Record, received: Received) -> None:
    """Raise ``ClearanceError`` for too many verdicts, or no room for another one."""
    if len(received.clearance.verdicts) > IN_ORDER.index(gate):
        raise ClearanceError("there are more verdicts than gates before this one")
    if len(record.value) > CLEARANCE_BYTES_MAX:
        raise ClearanceError(f"bytes: over {CLEARANCE_BYTES_MAX}")


def waiting_for_simulation(entered: Sequence[Entered]) -> list[Passage]:
    """Return the passages that must be simulated."""
    return [
        passage
        for passage in entered
        if isinstance(passage, Passage)
        and required(passage.case.intent, passage.case.facts.settings)
    ]


def run_gates(
    gate: RuleGate,
    entered: Entered,
    view: GateProjections,
    cache: ClearanceCache,
    is_open: IsOpen,
) -> Iterator[Outgoing]:
    """Run a gate, and the following gates up to a partition that is not open.

    Yields the record of every gate. The next gate has judged all of them but the last. An intent
    that needs a simulation waits on the simulation gate's topic: simulations run in batches.
    """
    if isinstance(entered, Outgoing):
        yield entered
        return
    passage, current = entered, gate
    while True:
        topic, passage = current.judge(passage, view.accounts)
        event = outgoing(topic, passage)
        yield event
        if topic not in GATE_OF:
            return
        current = GATE_OF[topic]
        if not is_open(event) or (current is SIMULATION and waiting_for_simulation([passage])):
            cache.put(event.value, DecodedClearance(passage.clearance, passage.case.intent))
            return
