from typing import Any

import pytest

from schemas.intents.reasons import Reason
from schemas.registry.policy import Policy
from signer.core.account import Account
from signer.core.registry.settings import Settings
from signer.core.rules.admission import decide
from signer.core.rules.decision import Passed, Rejected
from tests.harness.builders.cases import (
    ACCOUNT,
    DAY_MS,
    NOW_MS,
    agent,
    case,
    facts,
    intent,
    policy,
)
from tests.harness.builders.signer_records import live_of

IMPLICIT = Settings(require_explicit=False)
MINUTE_MS = 60_000


def reason(
    under: Policy | None = None,
    expires_at_ms: int = NOW_MS + 1,
    account: Account | None = None,
    **changes: Any,
) -> Reason | None:
    asked = intent(expires_at_ms=expires_at_ms)
    decision = decide(
        asked, under or policy(), account or Account(account=ACCOUNT), facts(**changes)
    )
    return decision.reason if isinstance(decision, Rejected) else None


@pytest.mark.parametrize(
    ("expires_in_ms", "expected"),
    [
        (-DAY_MS, Reason.EXPIRED),
        (-1, Reason.EXPIRED),
        (0, Reason.EXPIRED),
        (1, None),
        (DAY_MS - 1, None),
        (DAY_MS, None),
        (DAY_MS + 1, Reason.EXPIRY_TOO_FAR),
        (4_102_444_800_000 - NOW_MS, Reason.EXPIRY_TOO_FAR),
    ],
)
def test_an_intent_is_valid_until_its_expiry_and_at_most_a_day(
    expires_in_ms: int, expected: Reason | None
) -> None:
    assert reason(expires_at_ms=NOW_MS + expires_in_ms) == expected


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        ({}, None),
        ({"active": False}, Reason.AGENT_INACTIVE),
        ({"expires_at_ms": NOW_MS - 1}, Reason.AGENT_EXPIRED),
        ({"expires_at_ms": NOW_MS}, Reason.AGENT_EXPIRED),
        ({"expires_at_ms": NOW_MS + 1}, None),
        ({"expires_at_ms": 0}, Reason.AGENT_EXPIRED),
        ({"intents_api_enabled": False}, Reason.INTENTS_API_OFF),
        ({"active": False, "expires_at_ms": 0}, Reason.AGENT_INACTIVE),
    ],
)
def test_an_agent_acts_while_it_is_active_and_not_expired(
    standing: dict[str, Any], expected: Reason | None
) -> None:
    assert reason(agent=agent(**standing)) == expected


@pytest.mark.parametrize(
    ("left_open", "settings", "expected"),
    [
        ({}, Settings(), None),
        ({"tx_max_value_eth": None}, Settings(), Reason.POLICY_NOT_EXPLICIT),
        ({"tx_daily_limit_eth": None}, Settings(), Reason.POLICY_NOT_EXPLICIT),
        ({"intents_per_minute": None}, Settings(), Reason.POLICY_NOT_EXPLICIT),
        ({"tx_to_allowlist": ()}, Settings(), Reason.POLICY_NOT_EXPLICIT),
        ({"tx_allowed_chains": ()}, Settings(), Reason.POLICY_NOT_EXPLICIT),
        ({"tx_max_value_eth": "0", "intents_per_minute": 1}, Settings(), None),
        ({"tx_max_value_eth": None, "tx_to_allowlist": ()}, IMPLICIT, None),
    ],
)
def test_open_fields_are_rejected_if_policies_must_be_explicit(
    left_open: dict[str, Any], settings: Settings, expected: Reason | None
) -> None:
    assert reason(policy(**left_open), settings=settings) == expected


def test_the_rejection_names_the_open_fields() -> None:
    decision = decide(intent(), Policy(), Account(account=ACCOUNT), facts())
    assert isinstance(decision, Rejected)
    for name in ("tx_to_allowlist", "tx_max_value_eth", "intents_per_minute"):
        assert name in decision.detail
    assert "tx_max_fee_eth" not in decision.detail


def judged(count: int, at_ms: int, name: str = "alice") -> Account:
    account = Account(account=ACCOUNT)
    for _ in range(count):
        account = account.decided(name, at_ms)
    return account


@pytest.mark.parametrize(
    ("limit", "before", "age_ms", "expected"),
    [
        (0, 0, 0, Reason.RATE_EXCEEDED),
        (1, 0, 0, None),
        (1, 1, 0, Reason.RATE_EXCEEDED),
        (3, 2, 0, None),
        (3, 3, 0, Reason.RATE_EXCEEDED),
        (3, 3, MINUTE_MS - 1, Reason.RATE_EXCEEDED),
        (3, 3, MINUTE_MS, Reason.RATE_EXCEEDED),  # the minute is closed at both ends
        (3, 3, MINUTE_MS + 1, None),
        ("unlimited", 1000, 0, None),
    ],
)
def test_intents_per_minute_are_limited(
    limit: int | str, before: int, age_ms: int, expected: Reason | None
) -> None:
    account = judged(before, NOW_MS - age_ms)
    assert reason(policy(intents_per_minute=limit), account=account) == expected


def test_every_agent_has_its_own_rate() -> None:
    account = judged(5, NOW_MS, "bob")
    assert reason(policy(intents_per_minute=1), account=account) is None


def test_an_idempotency_key_that_belongs_to_another_intent_conflicts() -> None:
    owner = live_of(intent(value_wei=2))
    decision = decide(intent(), policy(), Account(account=ACCOUNT), facts(owner=owner))
    assert isinstance(decision, Rejected)
    assert decision.reason is Reason.IDEMPOTENCY_CONFLICT
    assert decision.evidence == {"first": owner.intent}


def test_agent_then_expiry_then_idempotency_key_are_checked() -> None:
    owner = live_of(intent(value_wei=2))
    gone = agent(active=False)
    assert reason(expires_at_ms=NOW_MS, owner=owner, agent=gone) is Reason.AGENT_INACTIVE
    assert reason(expires_at_ms=NOW_MS, owner=owner) is Reason.EXPIRED
    assert reason(owner=owner) is Reason.IDEMPOTENCY_CONFLICT


def test_a_valid_intent_passes_without_evidence() -> None:
    sound = case()
    assert sound.policy is not None
    account = Account(account=ACCOUNT)
    assert decide(sound.intent, sound.policy.policy, account, sound.facts) == Passed()
