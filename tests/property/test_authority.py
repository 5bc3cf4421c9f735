"""For any intent, policy, account and facts: an allocation keeps every promise."""

from dataclasses import replace
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from schemas.intents.intent import TransactionIntent
from schemas.intents.reasons import Reason
from schemas.intents.simulation import SimulationReport
from schemas.registry.policy import Policy
from schemas.registry.records import AgentSet
from signer.core.account import Account
from signer.core.case import Case
from signer.core.decide import Allocation, Judgement, Refusal
from signer.core.ethereum.validation import first_problem
from signer.core.registry.settings import Settings
from signer.core.rules.decision import Facts
from signer.core.transactions import transaction_of
from signer.core.window import SPENT_MS
from tests.harness.builders.cases import (
    ACCOUNT,
    BASE,
    DAY_MS,
    ETH,
    GWEI,
    HOUR_MS,
    NOW_MS,
    RECIPIENT,
    STRANGER,
    agent,
    asked,
    case,
    chain,
    intent,
    key,
    policy,
    report,
    signed,
)
from tests.harness.builders.signer_records import allocated, judge, live_of, refused
from tests.harness.sizes import effort

# Reasons that can reject an intent that the policy allows.
TECHNICAL = {
    Reason.FEE_UNKNOWN,
    Reason.FEE_TOO_HIGH,
    Reason.NONCE_USED,
    Reason.NONCE_TOO_HIGH,
    Reason.INVALID_TRANSACTION,
    Reason.INTERNAL_ERROR,
}


def mostly(sound: Any, *others: Any) -> st.SearchStrategy[Any]:
    """Draw the valid value often enough that whole cases are often valid."""
    return st.sampled_from([sound] * 12 * len(others) + list(others))


intents = st.builds(
    intent,
    to=mostly(RECIPIENT, STRANGER, None),
    chain_id=mostly(BASE, 1),
    value_wei=mostly(1, 0, ETH, ETH + 1, 5 * ETH, 5 * ETH + 1, 2**256 - 1),
    data=mostly("0x", "0xaa", "0x" + "00" * 32),
    gas_limit=mostly(50_000, None, 1, 21_000, 2**53 - 1),
    max_fee_per_gas_wei=mostly(GWEI, None, 0, ETH),
    max_priority_fee_per_gas_wei=mostly(1, None, 2 * GWEI),
    nonce=mostly(None, 0, 3, 4, 64, 69, 2**53 - 1),
    simulate_first=st.booleans(),
    key_path=mostly("agents/alice/keys/hot", "agents/alice2/keys/hot", "keys/hot"),
    expires_at_ms=mostly(
        NOW_MS + HOUR_MS, NOW_MS, NOW_MS + 1, NOW_MS + DAY_MS, NOW_MS + DAY_MS + 1
    ),
)
policies = st.builds(
    policy,
    tx_to_allowlist=mostly("any", (RECIPIENT,), (STRANGER,), ()),
    tx_max_value_eth=mostly("unlimited", "0", "1", None),
    tx_max_fee_eth=mostly("0.05", "0", "unlimited"),
    tx_daily_limit_eth=mostly("unlimited", "5", "0", None),
    tx_allowed_chains=mostly("any", ("base",), ("base-mainnet", "x"), ("ethereum",), ()),
    intents_per_minute=mostly("unlimited", 0, 1, 2, None),
    allow_contract_creation=st.booleans(),
)
agents = st.builds(
    agent,
    active=mostly(True, False),  # noqa: FBT003 - values to draw
    intents_api_enabled=mostly(True, False),  # noqa: FBT003 - values to draw
    expires_at_ms=mostly(None, NOW_MS, NOW_MS + 1),
    key_paths=mostly((), ("keys/hot",)),
)
settings_of = st.builds(
    Settings,
    require_explicit=st.booleans(),
    simulation_always=st.booleans(),
    simulation_age_ms_max=st.just(60_000),
)


@st.composite
def accounts(draw: st.DrawFn) -> Account:
    account = Account(account=ACCOUNT)
    for n in range(draw(st.integers(0, 3))):
        age_ms = draw(mostly(0, 1, DAY_MS, DAY_MS + 1))
        account = account.decided("alice", NOW_MS - age_ms)
        wei = draw(mostly(1, ETH, 5 * ETH, 2**255))
        done = signed(intent(value_wei=wei), nonce=n + 1, decided_at_ms=NOW_MS - age_ms)
        account = account.charged(done)
    return account


@st.composite
def cases(draw: st.DrawFn) -> Case:
    asked = draw(intents)
    made_report: SimulationReport | None = None
    if draw(st.booleans()):
        made_report = report(
            asked,
            status=draw(mostly("succeeded", "reverted", "failed", "timeout", "no_simulator")),
            simulated_at_ms=NOW_MS - draw(mostly(0, 60_000, 60_001)),
            expires_at_ms=NOW_MS + draw(mostly(1, 0)),
            gas_limit=draw(mostly(60_000, None)),
            max_fee_per_gas_wei=draw(mostly(GWEI, None, ETH)),
            pending_nonce=draw(mostly(None, 0, 7)),
        )
    return case(
        asked,
        draw(policies),
        agent=draw(agents),
        settings=draw(settings_of),
        chain=draw(mostly(chain(), None)) if asked.chain_id == BASE else None,
        simulation=made_report,
        key=draw(mostly(key(path=asked.key_path), None)),
        key_problem=draw(mostly(None, Reason.KEY_UNAVAILABLE)),
        owner=draw(mostly(None, live_of(intent(value_wei=77)))),
    )


def allows(rules: Policy, asked: TransactionIntent, known: Facts, account: Account) -> bool:
    """Return whether the policy allows the intent, by the public documentation only."""
    if asked.to is None:
        reached = rules.allow_contract_creation
    else:
        reached = rules.tx_to_allowlist in ((), "any") or asked.to in rules.tx_to_allowlist
    names = {known.chain.name, *known.chain.aliases} if known.chain else set()
    on_chain = bool(names) and (
        rules.tx_allowed_chains in ((), "any") or bool(names & set(rules.tx_allowed_chains))
    )
    day_wei = sum(wei for at_ms, wei in account.spent.entries if at_ms >= NOW_MS - SPENT_MS)
    return (
        reached
        and on_chain
        and within(asked.value_wei, rules.tx_max_value_eth)
        and within(day_wei + asked.value_wei, rules.tx_daily_limit_eth)
    )


def within(wei: int, limit: str | None) -> bool:
    in_wei = {None: None, "unlimited": None, "0": 0, "0.05": ETH // 20, "1": ETH, "5": 5 * ETH}
    most = in_wei[limit]
    return most is None or wei <= most


def stands(one: AgentSet, rules: Policy, known: Facts, account: Account) -> bool:
    minute = account.rates.get("alice")
    recent = sum(n for at_ms, n in minute.entries if at_ms >= NOW_MS - 60_000) if minute else 0
    rate = rules.intents_per_minute
    return (
        one.active
        and one.intents_api_enabled
        and (one.expires_at_ms is None or one.expires_at_ms > NOW_MS)
        and (not known.settings.require_explicit or not rules.open_fields)
        and (not isinstance(rate, int) or recent < rate)
    )


def simulated(asked: TransactionIntent, known: Facts) -> bool:
    simulation = known.simulation
    if not (asked.simulate_first or known.settings.simulation_always):
        return True
    fresh = (
        simulation
        and simulation.simulated_at_ms >= NOW_MS - 60_000
        and simulation.expires_at_ms > NOW_MS
    )
    return bool(fresh) and simulation is not None and simulation.status == "succeeded"


def may_sign(asked: TransactionIntent, known: Facts) -> bool:
    granted = asked.key_path == "agents/alice/keys/hot" or asked.key_path in known.agent.key_paths
    return known.key is not None and known.key_problem is None and granted


@effort(2, soak=4)
@given(cases(), accounts())
def test_exactly_the_allowed_intents_are_allocated(one: Case, account: Account) -> None:
    judged = judge(one, account)
    event(type(judged).__name__)
    check_fold(judged, account)
    if isinstance(judged, Allocation):
        assert permitted(one, account)
        check_exact(judged, one, account)
    elif refused(judged).reason not in TECHNICAL:
        assert not permitted(one, account)


def permitted(one: Case, account: Account) -> bool:
    assert one.policy is not None
    rules, wanted, known = one.policy.policy, asked(one), one.facts
    return (
        allows(rules, wanted, known, account)
        and stands(known.agent, rules, known, account)
        and simulated(wanted, known)
        and may_sign(wanted, known)
        and NOW_MS < wanted.expires_at_ms <= NOW_MS + DAY_MS
        and known.owner is None
    )


def check_exact(judged: Allocation, one: Case, account: Account) -> None:
    draft, wanted = allocated(judged), asked(one)
    assert one.policy is not None
    assert (draft.to, draft.value_wei, draft.data) == (wanted.to, wanted.value_wei, wanted.data)
    assert (draft.chain_id, draft.intent) == (wanted.chain_id, one.digest)
    assert wanted.nonce in (None, draft.nonce)
    assert wanted.gas_limit in (None, draft.gas_limit)
    assert draft.max_fee_per_gas_wei is not None
    assert wanted.max_fee_per_gas_wei in (None, draft.max_fee_per_gas_wei)
    cost_wei = draft.gas_limit * draft.max_fee_per_gas_wei
    assert within(cost_wei, one.policy.policy.tx_max_fee_eth)
    assert draft.nonce > max(account.nonces.values(), default=-1)
    assert first_problem(transaction_of(draft)) is None
    assert judged.account.nonces[f"{draft.sender}@{draft.chain_id}"] == draft.nonce
    before_wei = account.spent_wei(NOW_MS)
    assert judged.account.spent_wei(NOW_MS) == before_wei + wanted.value_wei


def check_fold(judged: Judgement, account: Account) -> None:
    assert isinstance(judged, Allocation | Refusal)
    assert judged.account.sequence == judged.live.sequence == account.sequence + 1
    if isinstance(judged, Refusal):
        assert judged.account.spent == account.spent
        assert judged.account.nonces == account.nonces


@given(cases(), accounts())
def test_the_same_inputs_always_give_the_same_decision(one: Case, account: Account) -> None:
    twin = replace(one, intent=TransactionIntent.decode(one.intent.encode()))
    assert judge(twin, Account.decode(account.encode())) == judge(one, account)


@effort(0.5)
@given(st.lists(cases(), max_size=12))
def test_consecutive_decisions_reuse_no_nonce_and_skip_no_sequence(row: list[Case]) -> None:
    account, used, sequences = Account(account=ACCOUNT), [], []
    for one in row:
        judged = judge(one, account)
        assert isinstance(judged, Allocation | Refusal)
        account = judged.account
        sequences.append(judged.live.sequence)
        if isinstance(judged, Allocation):
            used.append(allocated(judged).nonce)
    assert used == sorted(set(used))
    assert sequences == list(range(1, len(row) + 1))


def test_a_valid_case_is_allocated() -> None:
    assert isinstance(judge(case(), Account(account=ACCOUNT)), Allocation)
