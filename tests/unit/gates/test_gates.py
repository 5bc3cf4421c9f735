"""The cascade of gates: one verdict per gate, and no intent lost or invented."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NoReturn

import pytest

from schemas.canonical import event_id
from schemas.dsse import Envelope
from schemas.intents.clearance import Clearance, Unattributed
from schemas.intents.reasons import Gate, Reason
from schemas.partition import partition_of
from schemas.record import Outgoing, Record
from schemas.registry.policy import Policy
from schemas.registry.records import PolicySet
from schemas.topics import Topic
from signer.core.account import Account
from signer.core.registry.registered import RegisteredPolicy
from signer.core.rules import RULES
from streams.gates import admission, cascade
from streams.gates.passage import ALLOWLIST, IN_ORDER, GateProjections, Passage
from streams.gates.stages import Simulate
from tests.harness.builders.cases import (
    ACCOUNT,
    ALICE,
    ETH,
    MALLORY,
    NOW_MS,
    STRANGER,
    agent,
    asked,
    intent,
    policy,
    provisioned,
    registered,
    report,
    sealed,
    sealed_report,
    signed,
)

WAY = (
    Topic.ADMITTED,
    Topic.ALLOWLISTED,
    Topic.CAPPED,
    Topic.WITHIN_LIMIT,
    Topic.CHAIN_CLEARED,
    Topic.DECIDED,
)
RULES_HERE = policy(
    tx_to_allowlist=("0x" + "11" * 20,),
    tx_max_value_eth="1",
    tx_daily_limit_eth="1.5",
    tx_allowed_chains=("base",),
)
SPENT = Account(account=ACCOUNT).charged(signed(intent(value_wei=ETH)))


def world(account: Account | None = None) -> GateProjections:
    _, registry = registered(
        agent(agent="bob", policy_id="missing"),
        PolicySet(policy_id="narrow", policy=policy(tx_to_allowlist=(STRANGER,))),
        under=RULES_HERE,
    )
    held = account or Account(account=ACCOUNT)
    return GateProjections(registry, provisioned(registry).reference, lambda _: held)


def submitted(*values: bytes) -> list[Record]:
    home = partition_of(ACCOUNT, 4)
    return [
        Record(Topic.SUBMITTED, home, offset, ACCOUNT, value, NOW_MS)
        for offset, value in enumerate(values)
    ]


def never_simulated(passages: Sequence[Passage]) -> Sequence[Envelope]:
    raise AssertionError(f"{len(passages)} simulations were asked for")


def run(
    *asked: Any, account: Account | None = None, simulate: Simulate = never_simulated
) -> cascade.Cascade:
    values = [one if isinstance(one, bytes) else sealed(one).encode() for one in asked]
    return cascade.run(submitted(*values), world(account), NOW_MS, simulate)


def trail(events: Sequence[Outgoing]) -> list[tuple[Topic, Clearance]]:
    return [(event.topic, Clearance.decode(event.value)) for event in events]


def test_a_valid_intent_leaves_one_event_per_gate_with_the_verdicts_so_far() -> None:
    led = run(intent())
    events = trail(led.events)
    assert [topic for topic, _ in events] == list(WAY)
    for count, (topic, clearance) in enumerate(events, start=1):
        assert clearance.id == event_id(topic, clearance.intent)
        assert [verdict.gate for verdict in clearance.verdicts] == list(Gate)[:count]
        assert all(verdict.passed and verdict.policy for verdict in clearance.verdicts)
        assert clearance.envelope == sealed(intent())
    assert [passage.clearance for passage in led.decided] == [events[-1][1]]


@pytest.mark.parametrize(
    ("asked", "account", "gate", "reason"),
    [
        (intent(expires_at_ms=NOW_MS), None, Gate.ADMISSION, Reason.EXPIRED),
        (intent(agent="bob"), None, Gate.ADMISSION, Reason.POLICY_MISSING),
        (intent(to=STRANGER), None, Gate.ALLOWLIST, Reason.RECIPIENT_NOT_ALLOWED),
        (intent(to=None), None, Gate.ALLOWLIST, Reason.CONTRACT_CREATION),
        (intent(value_wei=ETH + 1), None, Gate.VALUE_CAP, Reason.VALUE_TOO_HIGH),
        (intent(gas_limit=2**40), None, Gate.VALUE_CAP, Reason.FEE_TOO_HIGH),
        (intent(value_wei=ETH), SPENT, Gate.DAILY_LIMIT, Reason.DAILY_LIMIT_EXCEEDED),
        (intent(chain_id=1), None, Gate.CHAIN_RESTRICTION, Reason.CHAIN_UNKNOWN),
    ],
)
def test_a_gate_that_rejects_sends_the_intent_straight_to_the_signer(
    asked: Any, account: Account | None, gate: Gate, reason: Reason
) -> None:
    led = run(asked, account=account)
    topics = [topic for topic, _ in trail(led.events)]
    passed = list(Gate).index(gate)
    assert topics == [*WAY[:passed], Topic.DECIDED]
    [decided] = led.decided
    last = decided.clearance.verdicts[-1]
    assert (last.gate, last.passed, last.reason) == (gate, False, reason)
    assert all(verdict.passed for verdict in decided.clearance.verdicts[:-1])


def test_a_record_that_is_no_intent_ends_and_the_others_continue() -> None:
    led = run(b"junk", intent(), sealed(intent(), MALLORY).encode(), intent(value_wei=2))
    assert len(led.decided) == 2
    ended = [event for event in led.events if event.topic is Topic.UNATTRIBUTED]
    reasons = [Unattributed.decode(event.value).reason for event in ended]
    assert reasons == [Reason.MALFORMED, Reason.SIGNATURE_INVALID]
    assert [event.key for event in ended] == ["", ""]


def test_every_record_has_exactly_one_end() -> None:
    mixed = [intent(value_wei=n % 3 * ETH, idempotency_key=f"{n}") for n in range(9)]
    led = run(*mixed, b"", b"{}", account=SPENT)
    ends = [event.topic for event in led.events]
    assert ends.count(Topic.DECIDED) == len(led.decided) == 9
    assert ends.count(Topic.UNATTRIBUTED) == 2


def test_intents_that_passed_all_other_gates_are_simulated_in_one_batch() -> None:
    calls: list[list[int]] = []

    def simulate(passages: Sequence[Passage]) -> Sequence[Envelope]:
        calls.append([asked(passage.case).value_wei for passage in passages])
        return [sealed_report(report(asked(passage.case))) for passage in passages]

    first, second = (intent(value_wei=n, simulate_first=True) for n in (1, 2))
    rejected = intent(to=STRANGER, simulate_first=True)
    led = run(first, rejected, intent(value_wei=3), second, simulate=simulate)
    assert calls == [[1, 2]]
    carried = {
        asked(p.case).value_wei: p.clearance.simulation
        for p in led.decided
        if asked(p.case).to != STRANGER
    }
    assert (carried[1] is None, carried[2] is None, carried[3] is None) == (False, False, True)
    assert led.decided[1].clearance.simulation is None


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda one: sealed_report(report(one)), None),
        (lambda one: sealed_report(report(one, status="reverted")), Reason.SIMULATION_REVERTED),
        (lambda one: sealed_report(report(one), MALLORY), Reason.SIMULATION_UNTRUSTED),
        (lambda _: sealed_report(report(intent(value_wei=9))), Reason.SIMULATION_UNTRUSTED),
        (lambda one: sealed_report(report(one), ALICE), Reason.SIMULATION_UNTRUSTED),
    ],
)
def test_a_report_is_judged_and_passed_on_unchanged(answer: Any, reason: Reason | None) -> None:
    asked = intent(simulate_first=True)
    envelope = answer(asked)
    led = run(asked, simulate=lambda _: [envelope])
    [decided] = led.decided
    assert decided.clearance.simulation == envelope
    assert decided.clearance.verdicts[-1].reason == reason


class Brittle(Policy):
    """A policy that raises when it is read, like a bug in a rule."""

    @property
    def recipients(self) -> NoReturn:
        raise ZeroDivisionError("0xsecret")


def test_a_rule_that_raises_is_a_rejection_and_not_the_end_of_the_process() -> None:
    [record] = submitted(sealed(intent()).encode())
    admitted = admission.admit(record, world(), NOW_MS)
    assert isinstance(admitted, Passage)
    brittle = RegisteredPolicy(Brittle(**RULES_HERE.model_dump()), "0x" + "00" * 32)
    case = replace(admitted.case, policy=brittle)
    topic, passage = ALLOWLIST.judge(replace(admitted, case=case), world().accounts)
    assert topic is Topic.DECIDED
    [verdict] = passage.clearance.verdicts
    assert (verdict.passed, verdict.reason) == (False, Reason.INTERNAL_ERROR)
    assert verdict.detail == "ZeroDivisionError"


def test_the_gates_have_the_order_of_the_signers_rules() -> None:
    for rules in RULES.values():
        assert [*(gate.gate for gate in IN_ORDER), Gate.SIGNING] == list(rules) == list(Gate)
    assert [gate.writes for gate in IN_ORDER] == list(WAY)


def test_a_long_detail_is_cut_to_the_limit_of_a_record() -> None:
    reason = "no" * 512
    led = run(
        intent(simulate_first=True),
        simulate=lambda p: [
            sealed_report(report(asked(p[0].case), status="reverted", revert_reason=reason))
        ],
    )
    detail = led.decided[0].clearance.verdicts[-1].detail
    assert detail is not None
    assert len(detail) == 1024
