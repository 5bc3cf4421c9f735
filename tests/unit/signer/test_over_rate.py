"""Intents over an agent's rate: one outcome each, remembered by one marker per minute of expiry."""

from typing import Any

import pytest

from schemas.intents.intent import TransactionIntent, intent_digest
from schemas.intents.reasons import Reason
from signer.core.window import MINUTE_MS
from tests.harness.builders.cases import (
    ACCOUNT,
    DAY_MS,
    HOUR_MS,
    NOW_MS,
    agent,
    arrival,
    intent,
    policy,
    provisioned,
    registered,
)
from tests.harness.pipeline.signer_process import Disk, SignerProcess, reasons


def minutely(limit: int) -> SignerProcess:
    _, registry = registered(under=policy(intents_per_minute=limit))
    return SignerProcess(Disk(), registry, provisioned(registry))


def over_rate(count: int, expires_at_ms: int = NOW_MS + HOUR_MS) -> list[TransactionIntent]:
    keys = [f"{n}-{expires_at_ms}" for n in range(count)]
    return [intent(idempotency_key=key, expires_at_ms=expires_at_ms) for key in keys]


def test_refusals_over_the_rate_leave_one_marker_per_agent_and_minute_of_expiry() -> None:
    process, later_ms = minutely(1), NOW_MS + 2 * MINUTE_MS
    asked = [*over_rate(40), *over_rate(5, NOW_MS + 3 * HOUR_MS)]
    process.run([arrival(one) for one in asked], NOW_MS)
    assert reasons(process.disk) == ["signed"] + [Reason.RATE_EXCEEDED] * 44
    process.run([arrival(intent(expires_at_ms=later_ms + 1))], later_ms)
    assert process.memory.account(ACCOUNT).live_count == 2 + 2  # two signed, two markers
    for one in asked:
        process.run([arrival(one)], later_ms)
    assert reasons(process.disk)[45:] == ["signed"]
    assert [audit.action for audit in process.disk.audits] == ["intent.duplicate"] * 45


def test_a_refusal_over_the_rate_is_kept_while_the_ledger_lacks_it() -> None:
    process, later_ms = minutely(1), NOW_MS + 2 * MINUTE_MS
    process.run([arrival(one) for one in over_rate(10)], NOW_MS)
    process.ledger.behind = 3
    process.run([arrival(intent(expires_at_ms=later_ms + 1))], later_ms)
    assert process.memory.account(ACCOUNT).live_count == 2 + 1 + 3  # two signed, one marker
    process.ledger.asked.clear()
    process.run([arrival(over_rate(10)[-1])], later_ms)
    assert process.disk.audits[-1].action == "intent.duplicate"
    assert process.ledger.asked == []


def test_a_request_that_was_over_the_rate_may_be_made_again() -> None:
    process, later_ms = minutely(1), NOW_MS + 2 * MINUTE_MS
    first, second = over_rate(2)
    again = second.model_copy(update={"expires_at_ms": later_ms + HOUR_MS})
    process.run([arrival(first), arrival(second)], NOW_MS)
    process.run([arrival(again), arrival(second)], later_ms)
    assert reasons(process.disk) == ["signed", Reason.RATE_EXCEEDED, "signed"]
    assert process.disk.audits[-1].action == "intent.duplicate"


FLOODS: dict[str, dict[str, Any]] = {
    "conflicts": {"idempotency_key": "used"},
    "expired": {"expires_at_ms": NOW_MS},
    "too far": {"expires_at_ms": NOW_MS + 2 * DAY_MS},
}


@pytest.mark.parametrize("flood", FLOODS)
def test_no_reason_of_a_refusal_lets_an_agent_over_its_rate_fill_the_state(flood: str) -> None:
    process, later_ms = minutely(1), NOW_MS + 2 * MINUTE_MS
    process.run([arrival(intent(idempotency_key="used"))], NOW_MS)
    changes = FLOODS[flood]
    asked = [intent(**{"idempotency_key": f"{n}", "value_wei": n + 2} | changes) for n in range(40)]
    process.run([arrival(one) for one in asked], NOW_MS)
    assert len(process.disk.outcomes) == 41
    process.run([arrival(intent(expires_at_ms=later_ms + 1))], later_ms)
    assert process.memory.account(ACCOUNT).live_count <= 2 + 1  # two signed, one marker
    process.run([arrival(one) for one in asked], later_ms)
    assert len(process.disk.outcomes) == 42


def test_a_deactivated_agent_fills_no_state() -> None:
    off = agent(active=False)
    _, registry = registered(off, under=policy(intents_per_minute=1))
    process, later_ms = (
        SignerProcess(Disk(), registry, provisioned(registry)),
        NOW_MS + 2 * MINUTE_MS,
    )
    process.run([arrival(one) for one in over_rate(40)], NOW_MS)
    process.run([arrival(intent(expires_at_ms=later_ms + 1))], later_ms)
    assert set(reasons(process.disk)) == {Reason.AGENT_INACTIVE}
    assert process.memory.account(ACCOUNT).live_count <= 3


def test_an_intent_over_the_rate_stays_refused_if_the_ledger_hides_its_outcome() -> None:
    process, later_ms = minutely(1), NOW_MS + 2 * MINUTE_MS
    first, refused = over_rate(2)
    process.run([arrival(first), arrival(refused)], NOW_MS)
    process.run([arrival(intent(expires_at_ms=later_ms + 1))], later_ms)
    hidden = [one for one in process.disk.outcomes if one.intent != intent_digest(refused.encode())]
    process.ledger.disk = Disk(outcomes=hidden)
    process.run([arrival(refused)], later_ms + MINUTE_MS + 1)
    assert reasons(process.disk)[1::2] == [Reason.RATE_EXCEEDED] * 2
