"""Daily limit rule: the sum of an account's values over rolling 24 hours."""

from schemas.intents.intent import TransactionIntent
from schemas.intents.money import wei_to_eth
from schemas.intents.reasons import Reason
from schemas.registry.policy import Policy
from signer.core.account import Account
from signer.core.rules.decision import PASSED, Decision, GateFacts, Passed, Rejected


def decide(
    intent: TransactionIntent, policy: Policy, account: Account, facts: GateFacts
) -> Decision:
    """Reject a value that would raise the 24-hour sum above ``tx_daily_limit_eth``."""
    limit = policy.daily_wei_max
    if limit is None:
        return PASSED
    spent = account.spent_wei(facts.at_ms)
    evidence = {"spent_wei": str(spent), "limit_wei": str(limit)}
    if spent + intent.value_wei <= limit:
        return Passed(evidence)
    detail = (
        f"{wei_to_eth(spent)} spent in 24 h plus {wei_to_eth(intent.value_wei)} "
        f"is over the limit of {wei_to_eth(limit)}"
    )
    return Rejected(Reason.DAILY_LIMIT_EXCEEDED, detail, evidence)
