"""One gate at work on a record, for runners that have a topic between two gates."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from schemas.audit import audited, input_digest
from schemas.dsse import Envelope
from schemas.record import Outgoing, Record
from schemas.topics import Topic
from signer.rules.simulation import required
from streams.gates import (
    admission,
    allowlist,
    chain_restriction,
    daily_limit,
    simulation,
    value_cap,
)
from streams.gates.passage import Passage, RuleGate, World, outgoing
from streams.gates.reception import Refused, receive, resume

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
Entered: TypeAlias = Passage | Outgoing
Simulate: TypeAlias = Callable[[Sequence[Passage]], Sequence[Envelope]]


def enter(gate: RuleGate, record: Record, world: World, at_ms: int) -> Entered:
    """Return the intent in a record, or the end of a record that holds none."""
    if gate is admission.GATE:
        admitted = admission.admit(record, world, at_ms)
        if isinstance(admitted, Passage):
            return admitted
        return Outgoing(Topic.UNATTRIBUTED, "", admitted.encode())
    try:
        return resume(receive(record, world.registry.partitions), world, at_ms)
    except Refused as error:
        source, subject = admission.source_of(record), input_digest(record.value)
        return audited(
            "record.refused", source, subject, str(error), actor=gate.gate.value, at_ms=at_ms
        )


def waiting_for_simulation(entered: Sequence[Entered]) -> list[Passage]:
    """Return those that somebody wants simulated."""
    return [
        passage
        for passage in entered
        if isinstance(passage, Passage)
        and required(passage.case.intent, passage.case.facts.settings)
    ]


def leave(gate: RuleGate, entered: Entered, world: World) -> Outgoing:
    """Ask the gate's rule, and return the record that goes on or ends here."""
    if isinstance(entered, Outgoing):
        return entered
    return outgoing(*gate.judge(entered, world.accounts))
