from typing import Any

import pytest

from schemas.intents.reasons import Reason
from signer.core.account import Account
from signer.core.registry.settings import Settings
from signer.core.rules.decision import Passed, Rejected
from signer.core.rules.simulation import decide, required, usable_report
from tests.harness.builders.cases import ACCOUNT, HOUR_MS, NOW_MS, facts, intent, policy, report

ASKED = intent(simulate_first=True)
ALWAYS = Settings(simulation_always=True)


def reason(simulation: Any, **changes: Any) -> Reason | None:
    asked = changes.pop("asked", ASKED)
    known = facts(simulation=simulation, **changes)
    decision = decide(asked, policy(), Account(account=ACCOUNT), known)
    return decision.reason if isinstance(decision, Rejected) else None


@pytest.mark.parametrize(
    ("asked", "settings", "expected"),
    [
        (intent(), Settings(), False),
        (intent(simulate_first=True), Settings(), True),
        (intent(), ALWAYS, True),
        (intent(simulate_first=True), ALWAYS, True),
    ],
)
def test_a_simulation_is_required_by_the_intent_or_by_the_organisation(
    asked: Any,
    settings: Settings,
    *,
    expected: bool,
) -> None:
    assert required(asked, settings) is expected
    refused = reason(None, asked=asked, settings=settings)
    assert refused == (Reason.SIMULATION_MISSING if expected else None)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("succeeded", None),
        ("reverted", Reason.SIMULATION_REVERTED),
        ("failed", Reason.SIMULATION_FAILED),
        ("timeout", Reason.SIMULATION_FAILED),
        ("no_simulator", Reason.SIMULATION_MISSING),
    ],
)
def test_only_a_successful_simulation_passes(status: str, expected: Reason | None) -> None:
    assert reason(report(ASKED, status=status)) == expected


@pytest.mark.parametrize(
    ("age_ms", "age_ms_max", "expires_in_ms", "expected"),
    [
        (0, 60_000, 1, None),
        (60_000, 60_000, 1, None),
        (60_001, 60_000, 1, Reason.SIMULATION_STALE),
        (1_000, 1_000, 1, None),
        (1_001, 1_000, 1, Reason.SIMULATION_STALE),
        (0, 60_000, 0, Reason.SIMULATION_STALE),
        (0, 60_000, -1, Reason.SIMULATION_STALE),
        (HOUR_MS, 24 * HOUR_MS, 1, None),
        (-30_000, 60_000, HOUR_MS, None),  # clocks may differ a little
        (-30_001, 60_000, HOUR_MS, Reason.SIMULATION_STALE),
        (-23 * HOUR_MS, 60_000, 24 * HOUR_MS, Reason.SIMULATION_STALE),
    ],
)
def test_a_report_is_fresh_from_its_time_until_its_age_limit_or_expiry(
    age_ms: int, age_ms_max: int, expires_in_ms: int, expected: Reason | None
) -> None:
    simulated = report(ASKED, simulated_at_ms=NOW_MS - age_ms, expires_at_ms=NOW_MS + expires_in_ms)
    assert reason(simulated, settings=Settings(simulation_age_ms_max=age_ms_max)) == expected


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        ({}, True),
        ({"status": "reverted"}, False),
        ({"status": "failed"}, False),
        ({"simulated_at_ms": NOW_MS - 60_001}, False),
        ({"simulated_at_ms": NOW_MS + 30_001}, False),
        ({"expires_at_ms": NOW_MS}, False),
    ],
)
def test_only_a_fresh_successful_report_sets_fees(change: dict[str, Any], *, counts: bool) -> None:
    simulated = report(intent(), **change)
    assert usable_report(facts(simulation=simulated)) == (simulated if counts else None)
    assert usable_report(facts()) is None


def test_a_stale_report_is_rejected_as_stale_whatever_its_status() -> None:
    for status in ("succeeded", "reverted"):
        simulated = report(ASKED, status=status, expires_at_ms=NOW_MS)
        assert reason(simulated) is Reason.SIMULATION_STALE


def test_an_untrusted_report_is_rejected_even_beside_a_valid_one() -> None:
    untrusted = Reason.SIMULATION_UNTRUSTED
    assert reason(None, simulation_problem=untrusted) is untrusted
    assert reason(report(ASKED), simulation_problem=untrusted) is untrusted
    assert reason(None, simulation_problem=untrusted, asked=intent()) is None


def test_the_rejection_has_the_revert_reason_and_gas_is_evidence() -> None:
    simulated = report(ASKED, status="reverted", revert_reason="Ownable: not the owner")
    decision = decide(ASKED, policy(), Account(account=ACCOUNT), facts(simulation=simulated))
    assert isinstance(decision, Rejected)
    assert "Ownable: not the owner" in decision.detail
    simulated = report(ASKED, gas_used=51_000)
    decision = decide(ASKED, policy(), Account(account=ACCOUNT), facts(simulation=simulated))
    assert decision == Passed({"gas_used": "51000"})
