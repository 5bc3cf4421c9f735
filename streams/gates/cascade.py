"""Cascade: runs all gates on a batch in one process; pure except for ``simulate``."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.dsse import Envelope
from schemas.record import Outgoing, Record
from schemas.topics import Topic
from signer.core.rules.simulation import required
from streams.gates import admission
from streams.gates.passage import IN_ORDER, SIMULATION, GateProjections, Passage, RuleGate, outgoing
from streams.gates.stages import Simulate

BEFORE_SIMULATION = IN_ORDER[: IN_ORDER.index(SIMULATION)]


@dataclass(slots=True)
class Cascade:
    """The results of a batch: the gates' events, and the clearances for the signer."""

    events: list[Outgoing] = field(default_factory=list)
    decided: list[Passage] = field(default_factory=list)


def run(
    records: Sequence[Record], view: GateProjections, at_ms: int, simulate: Simulate
) -> Cascade:
    """Run records through the gates in order; ``simulate`` is called once for all that need it."""
    cascade = Cascade()
    passages = [p for record in records if (p := _admit(record, view, at_ms, cascade))]
    judged = [_run_gates(passage, BEFORE_SIMULATION, view, cascade) for passage in passages]
    reports = _reports(judged, simulate)
    for topic, passage in judged:
        report = reports.get(passage.source)
        decided = passage.with_report(report, view) if report else passage
        if topic is Topic.CHAIN_CLEARED:
            _, decided = _run_gates(decided, (SIMULATION,), view, cascade)
        cascade.decided.append(decided)
    return cascade


def _admit(record: Record, view: GateProjections, at_ms: int, cascade: Cascade) -> Passage | None:
    admitted = admission.admit(record, view, at_ms)
    if isinstance(admitted, Passage):
        return admitted
    cascade.events.append(Outgoing(Topic.UNATTRIBUTED, "", admitted.encode()))
    return None


def _run_gates(
    passage: Passage, gates: Sequence[RuleGate], view: GateProjections, cascade: Cascade
) -> tuple[Topic, Passage]:
    topic = Topic.SUBMITTED
    for gate in gates:
        topic, passage = gate.judge(passage, view.accounts)
        cascade.events.append(outgoing(topic, passage))
        if topic is Topic.DECIDED:
            break
    return topic, passage


def _reports(judged: Sequence[tuple[Topic, Passage]], simulate: Simulate) -> dict[str, Envelope]:
    waiting = [
        passage
        for topic, passage in judged
        if topic is Topic.CHAIN_CLEARED
        and required(passage.case.intent, passage.case.facts.settings)
    ]
    reports = simulate(waiting) if waiting else ()
    return {p.source: report for p, report in zip(waiting, reports, strict=True)}
