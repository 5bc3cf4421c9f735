"""What there is to decide on, and how one rule is asked about it."""

from dataclasses import dataclass

from schemas.intent import AnyIntent
from schemas.reasons import Reason
from signer.account import Account
from signer.registered import RegisteredPolicy
from signer.rules.decision import Decision, Facts, Rejected, Rule


@dataclass(frozen=True, slots=True)
class Case:
    """An authenticated intent, its digest, the policy it falls under, and the facts."""

    intent: AnyIntent
    digest: str
    policy: RegisteredPolicy | None
    facts: Facts


def apply_rule(rule: Rule, case: Case, account: Account) -> Decision:
    """Ask a rule; without a policy, and when the rule errs, the answer is a rejection."""
    if case.policy is None:
        detail = f"no policy {case.facts.agent.policy_id} is registered"
        return Rejected(Reason.POLICY_MISSING, detail)
    try:
        return rule(case.intent, case.policy.policy, account, case.facts)
    except Exception as error:  # noqa: BLE001 - promise 5: a rule that errors refuses
        return internal_error(error)


def internal_error(error: Exception) -> Rejected:
    """Return the rejection for a failure of our own; its text may hold what was asked."""
    return Rejected(Reason.INTERNAL_ERROR, type(error).__name__)
