"""All gates in one go, for a runner that has them in one process; pure but for what it is given."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.dsse import Envelope
from schemas.record import Outgoing, Record
from schemas.topics import Topic
from signer.rules.simulation import required
from streams.gates import admission, simulation
from streams.gates.passage import GateProjections, Passage, RuleGate, outgoing
from streams.gates.stages import IN_ORDER, Simulate

BEFORE_SIMULATION = IN_ORDER[: IN_ORDER.index(simulation.GATE)]


@dataclass(slots=True)
class Cascade:
    """What a batch of submitted records came to: a trail of events, and what the signer judges."""

    events: list[Outgoing] = field(default_factory=list)
    decided: list[Passage] = field(default_factory=list)


def run(
    records: Sequence[Record], view: GateProjections, at_ms: int, simulate: Simulate
) -> Cascade:
    """Lead records through the gates in order; ``simulate`` is asked once for all that need it."""
    cascade = Cascade()
    passages = [p for record in records if (p := _admit(record, view, at_ms, cascade))]
    led = [_lead(passage, BEFORE_SIMULATION, view, cascade) for passage in passages]
    reports = _reports(led, simulate)
    for topic, passage in led:
        report = reports.get(passage.source)
        decided = passage.with_report(report, view) if report else passage
        if topic is Topic.CHAIN_CLEARED:
            _, decided = _lead(decided, (simulation.GATE,), view, cascade)
        cascade.decided.append(decided)
    return cascade


def _admit(record: Record, view: GateProjections, at_ms: int, cascade: Cascade) -> Passage | None:
    admitted = admission.admit(record, view, at_ms)
    if isinstance(admitted, Passage):
        return admitted
    cascade.events.append(Outgoing(Topic.UNATTRIBUTED, "", admitted.encode()))
    return None


def _lead(
    passage: Passage, gates: Sequence[RuleGate], view: GateProjections, cascade: Cascade
) -> tuple[Topic, Passage]:
    topic = Topic.SUBMITTED
    for gate in gates:
        topic, passage = gate.judge(passage, view.accounts)
        cascade.events.append(outgoing(topic, passage))
        if topic is Topic.DECIDED:
            break
    return topic, passage


def _reports(led: Sequence[tuple[Topic, Passage]], simulate: Simulate) -> dict[str, Envelope]:
    waiting = [
        passage
        for topic, passage in led
        if topic is Topic.CHAIN_CLEARED
        and required(passage.case.intent, passage.case.facts.settings)
    ]
    reports = simulate(waiting) if waiting else ()
    return {p.source: report for p, report in zip(waiting, reports, strict=True)}
