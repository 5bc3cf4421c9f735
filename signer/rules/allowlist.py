"""May money go to this address?"""

from schemas.intent import Intent
from schemas.policy import Policy
from schemas.reasons import Reason
from signer.account import Account
from signer.rules.decision import PASSED, Decision, Facts, Rejected


def decide(intent: Intent, policy: Policy, _account: Account, _facts: Facts) -> Decision:
    """Reject a recipient that is not listed, and contract creation unless it is allowed."""
    if intent.to is None:
        return PASSED if policy.allow_contract_creation else _creation()
    if policy.recipients is None or intent.to in policy.recipients:
        return PASSED
    return Rejected(
        Reason.RECIPIENT_NOT_ALLOWED, f"{intent.to} is not on the allowlist", {"to": intent.to}
    )


def _creation() -> Rejected:
    return Rejected(Reason.CONTRACT_CREATION, "the policy does not allow contract creation")
