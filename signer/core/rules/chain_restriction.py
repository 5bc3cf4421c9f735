"""Chain rule: the chain must be registered and allowed by the policy."""

from schemas.intents.intent import Intent
from schemas.intents.reasons import Reason
from schemas.registry.policy import Policy
from signer.core.account import Account
from signer.core.rules.decision import PASSED, Decision, GateFacts, Rejected


def decide(intent: Intent, policy: Policy, _account: Account, facts: GateFacts) -> Decision:
    """Reject a chain that is not registered or not in ``tx_allowed_chains``."""
    if facts.chain is None:
        return Rejected(Reason.CHAIN_UNKNOWN, f"chain {intent.chain_id} is not registered")
    names = {facts.chain.name, *facts.chain.aliases}
    if policy.chains is None or not names.isdisjoint(policy.chains):
        return PASSED
    return Rejected(Reason.CHAIN_NOT_ALLOWED, f"the policy does not allow {facts.chain.name}")
