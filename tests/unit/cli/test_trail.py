import json
from typing import Any

import pytest

from schemas.intents.reasons import Gate
from sixgate.api import Json
from sixgate.authoring.intent_lines import finish, read, split
from sixgate.cli.outcomes import trail_of
from tests.harness.builders.directories import ADDRESS, NOW_MS, directory, signers

LINE = {"agent": "payroll", "chain": "base", "to": ADDRESS, "value": "1"}


def envelope() -> Json:
    drafts, _, _ = read(split(json.dumps(LINE).encode()))
    ((one,), _) = finish(drafts, directory(), signers, NOW_MS, lambda: "k")
    found: Json = json.loads(one.envelope)
    return found


def verdict(gate: Gate, at_ms: int, **more: Any) -> Json:
    return {"gate": gate, "at_ms": at_ms, "passed": True} | more


def event(topic: str, at_ms: int, body: Json) -> Json:
    return {"topic": topic, "at_ms": at_ms, "event": body}


ADMITTED = verdict(Gate.ADMISSION, 11)
CAPPED = verdict(Gate.VALUE_CAP, 12, passed=False, reason="value_too_high", detail="over")
REJECTED = {
    "type": "intent.rejected",
    "decided_at_ms": 14,
    "gate": "value-cap",
    "reason": "value_too_high",
    "detail": "over",
}


def events(*more: Json) -> list[Json]:
    sealed = envelope()
    return [
        event("intents.submitted", 10, sealed),
        event("intents.admitted", 11, {"envelope": sealed, "verdicts": [ADMITTED]}),
        event("intents.decided", 12, {"envelope": sealed, "verdicts": [ADMITTED, CAPPED]}),
        *more,
    ]


def test_gates_after_a_rejection_have_no_verdict() -> None:
    trail = trail_of(events(event("outcomes", 15, REJECTED)))
    found = {step.gate: (step.passed, step.at_ms, step.reason) for step in trail.steps}
    assert list(found) == list(Gate)
    assert found[Gate.ADMISSION] == (True, 11, "")
    assert found[Gate.VALUE_CAP] == (False, 12, "value_too_high")
    assert found[Gate.SIMULATION] == (None, None, "")
    assert found[Gate.SIGNING] == (False, 14, "value_too_high")
    assert trail.steps[-1].detail == "value-cap: over"


def test_the_intent_is_decoded_from_the_agents_bytes() -> None:
    intent = trail_of(events()).intent
    assert intent is not None
    assert (intent.agent, intent.chain_id) == ("payroll", 8453)


def test_an_undecided_intent_has_no_outcome() -> None:
    trail = trail_of(events())
    assert trail.outcome is None
    assert trail.steps[-1].passed is None


def test_the_first_outcome_counts() -> None:
    later = REJECTED | {"reason": "expired"}
    trail = trail_of(events(event("outcomes", 15, REJECTED), event("outcomes", 16, later)))
    assert trail.outcome == REJECTED


@pytest.mark.parametrize("payload", ["e30=", "eyJ2IjoxfQ=="])
def test_an_envelope_without_an_intent_yields_none(payload: str) -> None:
    broken = envelope() | {"payload": payload}
    assert trail_of([event("intents.submitted", 10, broken)]).intent is None
