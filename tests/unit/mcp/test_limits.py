"""What an agent may do and what would pass a rule."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sixgate_client.errors import Json

from schemas.intents.money import wei_to_eth
from schemas.intents.reasons import Reason
from sixgate.mcp.limits import explained, left_eth, would_pass
from tests.harness.client.stub_api import ALLOWED, StubApi

CHAINS = [{"name": "base", "chain_id": 8453}, {"name": "ethereum", "chain_id": 1}]
WEI = st.integers(0, 10**27)


def agent(**changes: Any) -> Json:
    return StubApi().agent | changes


def test_the_explanation_has_every_limit_and_what_is_left() -> None:
    found = explained(agent(), CHAINS, [{"chain": "ethereum", "address": ALLOWED}])
    assert found["chains"] == ["base"]
    assert found["recipients"] == [ALLOWED]
    assert (found["max_value_eth"], found["left_24h_eth"]) == ("1", "0.75")
    assert found["keys"] == [{"chain": "ethereum", "address": ALLOWED}]
    text = " ".join(found["sentences"])
    for part in ("base", ALLOWED, "at most 1 ETH", "0.75 is left", "may not sign messages"):
        assert part in text


def test_empty_lists_and_null_limits_mean_any() -> None:
    free = agent(
        tx_allowed_chains=[], tx_to_allowlist=[], tx_max_value_eth=None, tx_daily_limit_eth=None
    )
    found = explained(free, CHAINS, [])
    assert found["chains"] == ["base", "ethereum"]
    assert found["recipients"] == "any"
    assert found["left_24h_eth"] is None
    assert not any("at most" in sentence for sentence in found["sentences"])


def test_without_the_intents_api_the_agent_may_sign_nothing() -> None:
    found = explained(agent(intents_api_enabled=False), CHAINS, [])
    assert found["sentences"] == ["You may sign nothing: the Intents API is off for this agent."]


def test_limits_that_are_open_explicitly_mean_any_too() -> None:
    closed: Json = {"tx_allowed_chains": [], "tx_to_allowlist": [], "tx_max_value_eth": None}
    opened: Json = {
        "tx_allowed_chains": ["any"], "tx_to_allowlist": ["any"], "tx_max_value_eth": "unlimited",
    }  # fmt: skip
    without, unlimited = {"tx_daily_limit_eth": None}, {"tx_daily_limit_eth": "unlimited"}
    found = explained(agent(**opened, **unlimited), CHAINS, [])
    assert found == explained(agent(**closed, **without), CHAINS, [])


@given(limit_wei=WEI, spent_wei=WEI)
def test_what_is_left_is_exact_and_never_negative(limit_wei: int, spent_wei: int) -> None:
    limits = {"tx_daily_limit_eth": wei_to_eth(limit_wei)}
    left = left_eth(limits | {"tx_spent_today_eth": wei_to_eth(spent_wei)})
    assert left == wei_to_eth(max(limit_wei - spent_wei, 0))


@pytest.mark.parametrize(
    ("reason", "part"),
    [
        ("value_too_high", "at most 1 ETH"),
        ("daily_limit_exceeded", "at most 0.75 ETH"),
        ("recipient_not_allowed", ALLOWED),
        ("chain_not_allowed", "base"),
        ("domain_not_allowed", ALLOWED),
        ("people_only", "person"),
        ("nonce_used", "without nonce"),
    ],
)
def test_a_refusal_says_what_would_pass(reason: str, part: str) -> None:
    assert part in (would_pass(reason, agent()) or "")


def test_a_spent_limit_says_that_nothing_passes_now() -> None:
    assert "No value above 0" in (
        would_pass("daily_limit_exceeded", agent(tx_spent_today_eth="2")) or ""
    )


@pytest.mark.parametrize("reason", [*Reason, "unknown", ""])
def test_every_reason_is_explained_without_knowing_the_agent(reason: str) -> None:
    assert would_pass(reason, {}) is None or isinstance(would_pass(reason, {}), str)
