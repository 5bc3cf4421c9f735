"""The decision on an intent: allocation, refusal or duplicate."""

from dataclasses import replace
from typing import Any, NoReturn

import pytest

from schemas.canonical import event_id
from schemas.intents.intent import TransactionIntent
from schemas.intents.outcome import TransactionSigned
from schemas.intents.reasons import Gate, Reason
from schemas.registry.policy import Policy
from signer.core.account import Account
from signer.core.case import Case
from signer.core.decide import Allocation, Duplicate, Judgement, Refusal
from signer.core.registry.registered import RegisteredPolicy
from signer.core.transactions import transaction_of
from tests.harness.builders.cases import (
    ACCOUNT,
    DAY_MS,
    ETH,
    GWEI,
    NOW_MS,
    RECIPIENT,
    SECRET,
    STRANGER,
    address_of,
    agent,
    case,
    chain,
    intent,
    policy,
    report,
    signed,
)
from tests.harness.builders.signer_records import allocated, judge, live_of, refused

FRESH = Account(account=ACCOUNT)
OPEN = {"gas_limit": None, "max_fee_per_gas_wei": None, "max_priority_fee_per_gas_wei": None}


def refusal(judged: Judgement) -> tuple[Gate, Reason]:
    return refused(judged).gate, refused(judged).reason


def allocation(judged: Judgement) -> Allocation:
    assert isinstance(judged, Allocation), judged
    return judged


def test_an_allocation_pins_exactly_the_requested_fields() -> None:
    asked = intent(value_wei=3, data="0xa9059cbb", gas_limit=50_000, nonce=4)
    seven = FRESH.charged(signed(intent(value_wei=7), nonce=3))
    draft = allocated(judge(case(asked), seven))
    assert draft.model_dump(exclude_none=True) == {
        "v": 1,
        "type": "transaction.signed",
        "id": event_id("outcome", case(asked).digest),
        "org": "acme",
        "account": ACCOUNT,
        "agent": "alice",
        "intent": case(asked).digest,
        "idempotency_key": "invoice-1",
        "sequence": 1,
        "decided_at_ms": NOW_MS,
        "policy": getattr(case(asked).policy, "digest", None),
        "signer": "signer-1",
        "chain_id": 8453,
        "sender": address_of(SECRET),
        "to": RECIPIENT,
        "value_wei": "3",
        "data": "0xa9059cbb",
        "nonce": 4,
        "gas_limit": 50_000,
        "max_fee_per_gas_wei": str(GWEI),
        "max_priority_fee_per_gas_wei": "1",
        "gas_from": "intent",
        "fees_from": "intent",
        "key_path": "agents/alice/keys/hot",
        "key_version": 1,
        "spent_wei": "3",
        "day_spent_wei": "10",
    }
    built = transaction_of(draft)
    assert (built.to, built.data) == (bytes.fromhex(RECIPIENT[2:]), bytes.fromhex("a9059cbb"))
    assert (built.chain_id, built.nonce, built.value_wei) == (8453, 4, 3)


def test_an_allocation_charges_the_value_and_uses_the_nonce() -> None:
    done = allocation(judge(case(intent(value_wei=3 * ETH, nonce=0)), FRESH))
    assert done.account.spent_wei(NOW_MS) == 3 * ETH
    assert done.account.next_nonce(address_of(SECRET), 8453) == 1
    assert done.account.sequence == done.live.sequence == allocated(done).sequence == 1


def test_a_refusal_charges_only_the_rate() -> None:
    judged = judge(case(intent(expires_at_ms=NOW_MS)), FRESH)
    assert refusal(judged) == (Gate.ADMISSION, Reason.EXPIRED)
    assert isinstance(judged, Refusal)
    assert (judged.account.spent_wei(NOW_MS), judged.account.nonces) == (0, {})
    assert judged.account.intents_of("alice", NOW_MS) == 1
    assert judged.account.sequence == refused(judged).sequence == 1


# In the order of the gates: each row breaks its own rule and all the later ones.
BROKEN: list[tuple[Gate, Reason, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    (Gate.ADMISSION, Reason.AGENT_INACTIVE, {}, {}, {"agent": agent(active=False)}),
    (Gate.ALLOWLIST, Reason.RECIPIENT_NOT_ALLOWED, {}, {"tx_to_allowlist": (STRANGER,)}, {}),
    (Gate.VALUE_CAP, Reason.VALUE_TOO_HIGH, {"value_wei": 2}, {"tx_max_value_eth": "0"}, {}),
    (
        Gate.DAILY_LIMIT,
        Reason.DAILY_LIMIT_EXCEEDED,
        {"value_wei": 2},
        {"tx_daily_limit_eth": "0"},
        {},
    ),
    (Gate.CHAIN_RESTRICTION, Reason.CHAIN_NOT_ALLOWED, {}, {"tx_allowed_chains": ("x",)}, {}),
    (Gate.SIMULATION, Reason.SIMULATION_MISSING, {"simulate_first": True}, {}, {}),
    (Gate.SIGNING, Reason.KEY_UNKNOWN, {}, {}, {"key": None}),
]


@pytest.mark.parametrize("first", range(len(BROKEN)))
def test_the_first_rejection_in_the_order_of_the_gates_counts(first: int) -> None:
    asked: dict[str, Any] = {}
    rules: dict[str, Any] = {}
    known: dict[str, Any] = {}
    for _, _, more_asked, more_rules, more_known in BROKEN[first:]:
        asked |= more_asked
        rules |= more_rules
        known |= more_known
    judged = judge(case(intent(**asked), policy(**rules), **known), FRESH)
    assert refusal(judged) == BROKEN[first][:2]


def test_an_intent_without_a_policy_is_refused() -> None:
    judged = judge(replace(case(), policy=None), FRESH)
    assert refusal(judged) == (Gate.ADMISSION, Reason.POLICY_MISSING)
    assert isinstance(judged, Refusal)
    assert refused(judged).policy is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"gas_limit": 20_999}, "gas_limit_below_intrinsic"),
        ({"gas_limit": 21_000, "data": "0xaa"}, "gas_limit_below_intrinsic"),
        ({"max_priority_fee_per_gas_wei": GWEI + 1}, "priority_fee_above_max_fee"),
        ({"max_fee_per_gas_wei": 2**256 - 1, "max_priority_fee_per_gas_wei": 0}, "cost_out_of"),
        ({"to": None, "data": "0x" + "00" * 49_153, "gas_limit": 2**40}, "init_code_too_large"),
    ],
)
def test_an_invalid_transaction_is_refused(changes: dict[str, Any], code: str) -> None:
    under = policy(tx_max_fee_eth="unlimited", allow_contract_creation=True)
    judged = judge(case(intent(**changes), under), FRESH)
    assert refusal(judged) == (Gate.SIGNING, Reason.INVALID_TRANSACTION)
    assert isinstance(judged, Refusal)
    assert code in refused(judged).detail
    assert judged.account.spent_wei(NOW_MS) == 0


def test_a_long_detail_is_truncated() -> None:
    asked = intent(simulate_first=True)
    simulated = report(asked, status="reverted", revert_reason="no" * 512)
    judged = judge(case(asked, simulation=simulated), FRESH)
    assert refusal(judged) == (Gate.SIMULATION, Reason.SIMULATION_REVERTED)
    assert isinstance(judged, Refusal)
    assert len(refused(judged).detail) == 1024


def test_a_duplicate_gets_no_second_outcome() -> None:
    asked = intent()
    for known in (
        {"owner": live_of(asked)},
        {"earlier": live_of(asked)},
        {"decided_before": True},
        {"owner": live_of(intent(value_wei=2)), "earlier": live_of(asked)},
    ):
        assert judge(case(asked, **known), FRESH) == Duplicate(case(asked).digest)


def test_a_duplicate_is_recognised_before_any_rule() -> None:
    wrong = case(intent(expires_at_ms=0), decided_before=True, agent=agent(active=False), key=None)
    assert isinstance(judge(wrong, FRESH), Duplicate)
    assert isinstance(judge(replace(wrong, policy=None), FRESH), Duplicate)


def test_an_idempotency_key_of_another_intent_stays_refused() -> None:
    judged = judge(case(owner=live_of(intent(value_wei=2))), FRESH)
    assert refusal(judged) == (Gate.ADMISSION, Reason.IDEMPOTENCY_CONFLICT)


class Brittle(Policy):
    """A policy that raises, to simulate a bug in a rule."""

    @property
    def daily_wei_max(self) -> NoReturn:
        raise ZeroDivisionError("0xsecret")


def test_a_rule_that_raises_refuses_with_only_the_type_of_the_error() -> None:
    sound = case()
    brittle = RegisteredPolicy(Brittle(**policy().model_dump()), "0x" + "00" * 32)
    judged = judge(replace(sound, policy=brittle), FRESH)
    assert refusal(judged) == (Gate.DAILY_LIMIT, Reason.INTERNAL_ERROR)
    assert isinstance(judged, Refusal)
    assert refused(judged).detail == "ZeroDivisionError"
    assert judged.account.spent_wei(NOW_MS) == 0


def test_a_daily_sum_above_256_bits_refuses_no_intent() -> None:
    rich = FRESH.charged(signed(intent(value_wei=2**256 - 1)))
    draft = allocated(judge(case(intent(value_wei=1)), rich))
    assert draft.day_spent_wei == 2**256
    assert TransactionSigned.decode(draft.encode()) == draft


def test_a_nonce_beyond_the_wire_format_is_refused_without_a_charge() -> None:
    burnt = FRESH.charged(signed(intent(), nonce=2**53 - 1))
    judged = judge(case(), burnt)
    assert refusal(judged) == (Gate.SIGNING, Reason.INTERNAL_ERROR)
    assert isinstance(judged, Refusal)
    assert judged.account.nonces == burnt.nonces


def test_a_pending_nonce_of_a_simulator_is_not_reused() -> None:
    warned = case(simulation=report(intent(), pending_nonce=9))
    assert allocated(judge(warned, FRESH)).nonce == 9
    ahead = FRESH.charged(signed(intent(), nonce=20))
    assert allocated(judge(warned, ahead)).nonce == 21


def test_the_outcome_has_the_fees_and_their_sources() -> None:
    asked = intent(**OPEN)
    draft = allocated(judge(case(asked), FRESH))
    assert (draft.gas_from, draft.fees_from) == ("chain-defaults", "chain-defaults")
    assert (draft.gas_limit, draft.max_fee_per_gas_wei) == (21_000, 2 * GWEI)
    simulated = report(asked, gas_limit=60_000, max_fee_per_gas_wei=3 * GWEI)
    draft = allocated(judge(case(asked, simulation=simulated), FRESH))
    assert (draft.gas_from, draft.fees_from) == ("simulation", "simulation")
    assert (draft.gas_limit, draft.max_fee_per_gas_wei) == (60_000, 3 * GWEI)
    fixed = chain(default_fees=None)
    assert refusal(judge(case(asked, chain=fixed), FRESH))[1] is Reason.FEE_UNKNOWN


@pytest.mark.parametrize("change", [{"status": "reverted"}, {"simulated_at_ms": NOW_MS - DAY_MS}])
def test_only_a_fresh_successful_report_sets_fields(change: dict[str, Any]) -> None:
    asked = intent(**OPEN)
    simulated = report(asked, gas_limit=60_000, max_fee_per_gas_wei=9, pending_nonce=7, **change)
    draft = allocated(judge(case(asked, simulation=simulated), FRESH))
    assert (draft.gas_from, draft.fees_from, draft.nonce) == ("chain-defaults",) * 2 + (0,)


def test_a_live_record_outlives_the_expiry_and_a_day() -> None:
    soon = allocation(judge(case(intent(expires_at_ms=NOW_MS + 1)), FRESH)).live
    assert soon.forget_at_ms == NOW_MS + DAY_MS
    too_far = judge(case(intent(expires_at_ms=NOW_MS + 3 * DAY_MS)), FRESH)
    assert isinstance(too_far, Refusal)
    assert too_far.live.forget_at_ms == NOW_MS + DAY_MS


def decisions(asked: TransactionIntent, account: Account) -> list[Judgement]:
    twin = Case(
        TransactionIntent.decode(asked.encode()),
        case(asked).digest,
        case(asked).policy,
        case().facts,
    )
    return [judge(case(asked), account), judge(twin, Account.decode(account.encode()))]


def test_equal_inputs_give_equal_decisions() -> None:
    busy = FRESH.charged(signed(intent(value_wei=ETH), nonce=3)).decided("alice", NOW_MS)
    for asked in (intent(), intent(nonce=4), intent(to=None), intent(value_wei=2**255)):
        one, other = decisions(asked, busy)
        assert one == other
