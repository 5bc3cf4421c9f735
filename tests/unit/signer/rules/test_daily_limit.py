import re

import pytest

from schemas.intents.reasons import Reason
from signer.core.account import Account
from signer.core.rules.daily_limit import decide
from signer.core.rules.decision import Passed, Rejected
from tests.harness.builders.cases import ACCOUNT, DAY_MS, ETH, NOW_MS, facts, intent, policy, signed


def spent(value_wei: int, age_ms: int, chain_id: int = 8453) -> Account:
    done = signed(intent(value_wei=value_wei, chain_id=chain_id), decided_at_ms=NOW_MS - age_ms)
    return Account(account=ACCOUNT).charged(done)


@pytest.mark.parametrize(
    ("limit", "before_wei", "age_ms", "value_wei", "passes"),
    [
        ("5", 0, 0, 5 * ETH, True),
        ("5", 0, 0, 5 * ETH + 1, False),
        ("5", 3 * ETH, 0, 2 * ETH, True),
        ("5", 3 * ETH, 0, 2 * ETH + 1, False),
        ("5", 5 * ETH, DAY_MS, 1, False),
        ("5", 5 * ETH, DAY_MS + 15_000, 1, False),  # signed 15 s late, at the end of its 24 hours
        ("5", 5 * ETH, DAY_MS + 15_001, 5 * ETH, True),
        ("5", 5 * ETH, DAY_MS + 15_001, 5 * ETH + 1, False),
        ("5", 5 * ETH, 0, 0, True),  # nothing more is not over the limit
        ("0", 0, 0, 0, True),
        ("0", 0, 0, 1, False),
        ("unlimited", 2**200, 0, 2**255, True),
        (None, 2**200, 0, 2**255, True),
        ("0.000000000000000003", 2, 0, 1, True),
        ("0.000000000000000003", 2, 0, 2, False),
    ],
)
def test_a_sum_equal_to_the_limit_passes_and_one_wei_more_is_rejected(
    limit: str | None,
    before_wei: int,
    age_ms: int,
    value_wei: int,
    *,
    passes: bool,
) -> None:
    account = spent(before_wei, age_ms)
    under = policy(tx_daily_limit_eth=limit)
    decision = decide(intent(value_wei=value_wei), under, account, facts())
    assert isinstance(decision, Passed) == passes
    if isinstance(decision, Rejected):
        assert decision.reason is Reason.DAILY_LIMIT_EXCEEDED


def test_all_chains_share_one_window() -> None:
    account = spent(5 * ETH, 0, chain_id=1)
    decision = decide(intent(), policy(tx_daily_limit_eth="5"), account, facts())
    assert isinstance(decision, Rejected)
    assert decision.evidence == {"spent_wei": str(5 * ETH), "limit_wei": str(5 * ETH)}


def test_the_rejection_names_the_spent_sum_and_the_limit() -> None:
    under = policy(tx_daily_limit_eth="5")
    decision = decide(intent(value_wei=3 * ETH), under, spent(5 * ETH // 2, 1), facts())
    assert isinstance(decision, Rejected)
    facts_in_order = re.findall(r"[\d.]+|over the limit", decision.detail)
    assert facts_in_order == ["2.5", "24", "3", "over the limit", "5"]
