"""Simulation rule: a required simulation must have succeeded, recently, in a trusted report."""

from schemas.intents.intent import AnyIntent, TransactionIntent
from schemas.intents.reasons import Reason
from schemas.intents.simulation import SimulationReport
from schemas.registry.policy import Policy
from signer.core.account import Account
from signer.core.registry.settings import Settings
from signer.core.rules.decision import PASSED, Decision, GateFacts, Passed, Rejected

CLOCK_SKEW_MS_MAX = 30_000


def required(intent: AnyIntent, settings: Settings) -> bool:
    """Return whether the intent or the organisation requires a simulation; messages have none."""
    if not isinstance(intent, TransactionIntent):
        return False
    return intent.simulate_first or settings.simulation_always


def decide(
    intent: TransactionIntent, _policy: Policy, _account: Account, facts: GateFacts
) -> Decision:
    """Reject unless a required simulation succeeded and is fresh."""
    if not required(intent, facts.settings):
        return PASSED
    if facts.simulation_problem is not None:
        return Rejected(
            facts.simulation_problem, "no registered simulator signed the report for this intent"
        )
    if facts.simulation is None:
        return Rejected(Reason.SIMULATION_MISSING, "a simulation is required and missing")
    return _judge_report(facts.simulation, facts)


def usable_report(facts: GateFacts) -> SimulationReport | None:
    """Return the report if its gas, fees and nonce may be used: it is fresh and succeeded."""
    report = facts.simulation
    if report is None or report.status != "succeeded" or not _fresh(report, facts):
        return None
    return report


def _fresh(report: SimulationReport, facts: GateFacts) -> bool:
    """Return whether a report is neither too old nor from the future, within the clock skew."""
    age_ms = facts.at_ms - report.simulated_at_ms
    young = -CLOCK_SKEW_MS_MAX <= age_ms <= facts.settings.simulation_age_ms_max
    return young and facts.at_ms < report.expires_at_ms


def _judge_report(report: SimulationReport, facts: GateFacts) -> Decision:
    if not _fresh(report, facts):
        age_ms = facts.at_ms - report.simulated_at_ms
        return Rejected(Reason.SIMULATION_STALE, f"the simulation is {age_ms} ms old")
    match report.status:
        case "succeeded":
            return Passed({"gas_used": str(report.gas_used or 0)})
        case "reverted":
            detail = report.revert_reason or "without a reason"
            return Rejected(Reason.SIMULATION_REVERTED, f"the transaction would revert: {detail}")
        case "no_simulator":
            return Rejected(Reason.SIMULATION_MISSING, "no simulator serves the chain")
        case "timeout":
            return Rejected(Reason.SIMULATION_FAILED, "the simulation timed out")
        case "failed":
            return Rejected(Reason.SIMULATION_FAILED, report.revert_reason or "simulation failed")
