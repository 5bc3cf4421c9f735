"""Forged records between gates: each ends, and no record ends the process."""

import pytest

from schemas.canonical import event_id
from schemas.fields import TEXT_MAX
from schemas.intents.clearance import Clearance, Verdict
from schemas.intents.intent import intent_digest
from schemas.intents.reasons import Gate
from schemas.ledger.audit import AuditRecord
from schemas.partition import partition_of
from schemas.record import Outgoing, Record
from schemas.topics import INTERNAL_BYTES_MAX, SUBMITTED_BYTES_MAX, Topic
from signer.core.account import Account
from streams.clearances import ClearanceCache
from streams.gates.passage import IN_ORDER, GateProjections
from streams.gates.stages import GATE_OF, enter, run_gates
from tests.harness.builders.cases import ACCOUNT, NOW_MS, intent, provisioned, registered, sealed

REGISTRY = registered()[1]
VIEW = GateProjections(
    REGISTRY, provisioned(REGISTRY).reference, lambda name: Account(account=name)
)
HOME = partition_of(ACCOUNT, REGISTRY.partitions)
BETWEEN = [topic for topic in GATE_OF if topic is not Topic.SUBMITTED]
EVIDENCE_MAX = {f"e-{n}": "x" * 1024 for n in range(1900)}


def verdict(gate: Gate, evidence: dict[str, str] | None = None) -> Verdict:
    return Verdict(gate=gate, at_ms=NOW_MS, passed=True, evidence=evidence)


def forged(topic: Topic, *verdicts: Verdict) -> Record:
    envelope = sealed(intent())
    name = intent_digest(envelope.body())
    clearance = Clearance(
        id=event_id(topic, name), intent=name, envelope=envelope, verdicts=verdicts
    )
    return Record(topic, HOME, 0, ACCOUNT, clearance.encode(), 0)


def led(record: Record, *, pipelined: bool) -> list[Outgoing]:
    gate, cache = GATE_OF[record.topic], ClearanceCache()
    entered = enter(gate, record, VIEW, NOW_MS, cache)
    return list(run_gates(gate, entered, VIEW, cache, lambda _: pipelined))


@pytest.mark.parametrize("pipelined", [False, True])
@pytest.mark.parametrize("topic", BETWEEN)
@pytest.mark.parametrize("more", [1, 2, 3])
def test_more_verdicts_than_there_were_gates_are_refused(
    topic: Topic, more: int, *, pipelined: bool
) -> None:
    before = IN_ORDER.index(GATE_OF[topic])
    verdicts = [verdict(Gate.ADMISSION)] * min(8, before + more)
    (end,) = led(forged(topic, *verdicts), pipelined=pipelined)
    assert end.topic is Topic.AUDIT
    assert AuditRecord.decode(end.value).action == "record.refused"


@pytest.mark.parametrize("topic", BETWEEN)
def test_at_most_one_verdict_per_gate_before_this_one_is_accepted(topic: Topic) -> None:
    for count in range(IN_ORDER.index(GATE_OF[topic]) + 1):
        *_, end = led(forged(topic, *[verdict(Gate.ADMISSION)] * count), pipelined=True)
        assert end.topic is Topic.DECIDED


@pytest.mark.parametrize("topic", BETWEEN)
def test_no_gate_writes_a_record_above_the_size_limit(topic: Topic) -> None:
    record = forged(topic, verdict(Gate.ADMISSION, EVIDENCE_MAX))
    assert INTERNAL_BYTES_MAX - SUBMITTED_BYTES_MAX < len(record.value) <= INTERNAL_BYTES_MAX
    for end in led(record, pipelined=True):
        assert len(end.value) < INTERNAL_BYTES_MAX - len(IN_ORDER) * 4 * TEXT_MAX
