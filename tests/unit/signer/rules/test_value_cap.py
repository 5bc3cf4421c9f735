from typing import Any

import pytest

from schemas.intents.reasons import Reason
from schemas.registry.policy import Policy
from schemas.registry.records import Fees
from signer.core.account import Account
from signer.core.rules.decision import Passed, Rejected
from signer.core.rules.value_cap import decide
from tests.harness.builders.cases import ACCOUNT, ETH, GWEI, chain, facts, intent, policy, report

DEFAULT_FEE_MAX = ETH // 20


def reason(under: Policy, knowing: dict[str, Any] | None = None, **asked: Any) -> Reason | None:
    known = facts(**(knowing or {}))
    decision = decide(intent(**asked), under, Account(account=ACCOUNT), known)
    return decision.reason if isinstance(decision, Rejected) else None


@pytest.mark.parametrize(
    ("cap", "value_wei", "expected"),
    [
        ("1", 0, None),
        ("1", ETH - 1, None),
        ("1", ETH, None),
        ("1", ETH + 1, Reason.VALUE_TOO_HIGH),
        ("0", 0, None),
        ("0", 1, Reason.VALUE_TOO_HIGH),
        ("0.000000000000000001", 1, None),
        ("0.000000000000000001", 2, Reason.VALUE_TOO_HIGH),
        ("unlimited", 2**256 - 1, None),
        (None, 2**256 - 1, None),
    ],
)
def test_a_value_equal_to_the_cap_passes_and_one_wei_more_is_rejected(
    cap: str | None, value_wei: int, expected: Reason | None
) -> None:
    assert reason(policy(tx_max_value_eth=cap), value_wei=value_wei) == expected


@pytest.mark.parametrize(
    ("cap", "gas_limit", "max_fee", "expected"),
    [
        ("0.05", 1, DEFAULT_FEE_MAX, None),
        ("0.05", 1, DEFAULT_FEE_MAX + 1, Reason.FEE_TOO_HIGH),
        ("0.05", 50_000_000, GWEI, None),
        ("0.05", 50_000_001, GWEI, Reason.FEE_TOO_HIGH),
        ("0", 21_000, 0, None),
        ("0", 1, 1, Reason.FEE_TOO_HIGH),
        ("unlimited", 2**53 - 1, 2**256 - 1, None),
    ],
)
def test_gas_times_max_fee_is_capped(
    cap: str, gas_limit: int, max_fee: int, expected: Reason | None
) -> None:
    under = policy(tx_max_fee_eth=cap)
    assert reason(under, gas_limit=gas_limit, max_fee_per_gas_wei=max_fee) == expected


def test_the_default_fee_cap_is_0_05() -> None:
    under = Policy()
    assert reason(under, gas_limit=1, max_fee_per_gas_wei=DEFAULT_FEE_MAX) is None
    too_much = reason(under, gas_limit=1, max_fee_per_gas_wei=DEFAULT_FEE_MAX + 1)
    assert too_much is Reason.FEE_TOO_HIGH


OPEN = {"gas_limit": None, "max_fee_per_gas_wei": None, "max_priority_fee_per_gas_wei": None}


def test_fees_of_every_source_are_capped() -> None:
    dear = Fees(gas_limit=21_000, max_fee_per_gas_wei=ETH, max_priority_fee_per_gas_wei=1)
    assert reason(policy(), {"chain": chain(default_fees=dear)}, **OPEN) is Reason.FEE_TOO_HIGH
    simulated = report(intent(**OPEN), gas_limit=21_000, max_fee_per_gas_wei=ETH)
    assert reason(policy(), {"simulation": simulated}, **OPEN) is Reason.FEE_TOO_HIGH
    gas = report(intent(), gas_limit=2**53 - 1)
    expected = Reason.FEE_TOO_HIGH
    assert reason(policy(), {"simulation": gas}, gas_limit=None) is expected


def test_unknown_fees_are_left_to_the_signing_rule() -> None:
    assert reason(policy(tx_max_fee_eth="0"), {"chain": None}, **OPEN) is None


def test_the_value_is_checked_before_the_fee_and_both_leave_evidence() -> None:
    under = policy(tx_max_value_eth="0", tx_max_fee_eth="0")
    high = decide(intent(), under, Account(account=ACCOUNT), facts())
    assert isinstance(high, Rejected)
    assert high.reason is Reason.VALUE_TOO_HIGH
    assert high.evidence == {"value_wei": "1", "value_wei_max": "0"}
    fine = decide(intent(), policy(), Account(account=ACCOUNT), facts())
    assert fine == Passed({"fee_wei": str(21_000 * GWEI)})
