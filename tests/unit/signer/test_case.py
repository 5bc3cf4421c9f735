"""What a gate knows never allows a signature."""

import pytest

from schemas.intents.intent import intent_digest
from schemas.intents.reasons import Gate, Reason
from signer.core.account import Account
from signer.core.case import Authentic, gate_case, run_rules
from signer.core.decide import authorize
from signer.core.rules.decision import Passed, Rejected
from tests.harness.builders.cases import (
    ACCOUNT,
    NOW_MS,
    SIGNER,
    agent,
    intent,
    provisioned,
    registered,
)

_, REGISTRY = registered()
ASKED = intent()
AUTHENTIC = Authentic(ASKED, agent(), intent_digest(ASKED.encode()))
KNOWN = gate_case(AUTHENTIC, REGISTRY, provisioned(REGISTRY).reference, None, NOW_MS)
IDLE = Account(account=ACCOUNT)


def test_a_gates_case_passes_every_gate_but_signing() -> None:
    *gates, (last, decision) = run_rules(KNOWN, IDLE, Gate)
    assert [gate for gate, _ in gates] == list(Gate)[:-1]
    assert all(isinstance(passed, Passed) for _, passed in gates)
    assert last is Gate.SIGNING
    assert isinstance(decision, Rejected)
    assert decision.reason is Reason.INTERNAL_ERROR


def test_a_gates_case_cannot_be_authorised() -> None:
    with pytest.raises(AttributeError):
        authorize(KNOWN, IDLE, SIGNER.keyid)  # type: ignore[arg-type] # the attack


def test_no_rule_runs_after_the_first_rejection() -> None:
    expired = gate_case(
        AUTHENTIC, REGISTRY, provisioned(REGISTRY).reference, None, ASKED.expires_at_ms
    )
    [(gate, decision)] = run_rules(expired, IDLE, Gate)
    assert gate is Gate.ADMISSION
    assert isinstance(decision, Rejected)
    assert decision.reason is Reason.EXPIRED
