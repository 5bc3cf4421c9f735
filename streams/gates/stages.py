"""One gate at work on a record, for runners that have a topic between two gates."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from schemas.audit import audited, input_digest
from schemas.dsse import Envelope
from schemas.record import Outgoing, Record
from schemas.topics import INTERNAL_BYTES_MAX, Topic
from signer.rules.simulation import required
from streams.gates import (
    admission,
    allowlist,
    chain_restriction,
    daily_limit,
    simulation,
    value_cap,
)
from streams.gates.clearance_cache import ClearanceCache, Opened
from streams.gates.clearance_decoding import ClearanceError, Received, receive, resume
from streams.gates.passage import GateProjections, Passage, RuleGate, outgoing

IN_ORDER = (
    admission.GATE,
    allowlist.GATE,
    value_cap.GATE,
    daily_limit.GATE,
    chain_restriction.GATE,
    simulation.GATE,
)
# Each gate reads what the one before it writes.
GATE_OF = dict(zip((Topic.SUBMITTED, *(gate.writes for gate in IN_ORDER)), IN_ORDER, strict=False))
CLEARANCE_BYTES_MAX = INTERNAL_BYTES_MAX // 2
"""What no gate's own record comes near, and every gate can add to: a verdict, or a report too."""
Entered: TypeAlias = Passage | Outgoing
IsOpen: TypeAlias = Callable[[Outgoing], bool]
Simulate: TypeAlias = Callable[[Sequence[Passage]], Sequence[Envelope]]


def enter(
    gate: RuleGate, record: Record, view: GateProjections, at_ms: int, underway: ClearanceCache
) -> Entered:
    """Return the intent in a record, or the end of a record that holds none."""
    if gate is admission.GATE:
        admitted = admission.admit(record, view, at_ms)
        if isinstance(admitted, Passage):
            return admitted
        return Outgoing(Topic.UNATTRIBUTED, "", admitted.encode())
    try:
        received = receive(record, view.registry.partitions, underway)
        _refuse_grown(gate, record, received)
        return resume(received, view, at_ms)
    except ClearanceError as error:
        source, subject = admission.source_of(record), input_digest(record.value)
        return audited(
            "record.refused", source, subject, str(error), actor=gate.gate.value, at_ms=at_ms
        )


def _refuse_grown(gate: RuleGate, record: Record, received: Received) -> None:
    """Raise ``ClearanceError`` unless a gate wrote it and it has room for our verdict."""
    if len(received.clearance.verdicts) > IN_ORDER.index(gate):
        raise ClearanceError("there are more verdicts than gates before this one")
    if len(record.value) > CLEARANCE_BYTES_MAX:
        raise ClearanceError(f"bytes: over {CLEARANCE_BYTES_MAX}")


def waiting_for_simulation(entered: Sequence[Entered]) -> list[Passage]:
    """Return those that somebody wants simulated."""
    return [
        passage
        for passage in entered
        if isinstance(passage, Passage)
        and required(passage.case.intent, passage.case.facts.settings)
    ]


def lead(
    gate: RuleGate,
    entered: Entered,
    view: GateProjections,
    underway: ClearanceCache,
    is_open: IsOpen,
) -> Iterator[Outgoing]:
    """Ask the gate's rule, and those behind it up to a topic that is not open.

    Yields the record of every gate; all but the last were judged by the next gate too. An intent
    that is to be simulated waits for that on its topic.
    """
    if isinstance(entered, Outgoing):
        yield entered
        return
    passage, asked = entered, gate
    while True:
        topic, passage = asked.judge(passage, view.accounts)
        left = outgoing(topic, passage)
        yield left
        if topic not in GATE_OF:
            return
        asked = GATE_OF[topic]
        if not is_open(left) or (asked is simulation.GATE and waiting_for_simulation([passage])):
            underway.keep(left.value, Opened(passage.clearance, passage.case.intent))
            return
