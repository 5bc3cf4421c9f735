"""Delegation rules: which contract and chain an EIP-7702 authorization may name."""

from schemas.intents.intent import AuthorizationIntent
from schemas.intents.reasons import Reason
from schemas.registry.policy import Policy
from signer.core.account import Account
from signer.core.ethereum.validation import first_authorization_problem
from signer.core.nonces import ANY_CHAIN
from signer.core.rules import chain_restriction
from signer.core.rules.decision import PASSED, Decision, GateFacts, Rejected, invalid
from signer.core.transactions import authorization_of


def decide(
    intent: AuthorizationIntent, policy: Policy, _account: Account, _facts: GateFacts
) -> Decision:
    """Reject an authorization that EIP-7702 does not allow, then as ``judge_delegate`` does."""
    problem = first_authorization_problem(authorization_of(intent, intent.nonce or 0))
    if problem is not None:
        return invalid(problem)
    return judge_delegate(intent.delegate, intent.chain_id, policy) or PASSED


def decide_chain(
    intent: AuthorizationIntent, policy: Policy, account: Account, facts: GateFacts
) -> Decision:
    """Reject a chain as for other intents; ``decide`` has already judged chain 0 (every chain)."""
    if intent.chain_id == ANY_CHAIN:
        return PASSED
    return chain_restriction.decide(intent, policy, account, facts)


def judge_delegate(delegate: str, chain_id: int, policy: Policy) -> Rejected | None:
    """Reject a delegate (0x, lower case) that is not listed, and chain 0 unless it is allowed.

    Revoking a delegation means delegating to the zero address, which must be listed too. Source:
    EIP-7702.
    """
    evidence = {"delegate": delegate}
    if delegate not in policy.delegate_allowlist:
        detail = f"{delegate} is not on the list of delegates"
        return Rejected(Reason.DELEGATE_NOT_ALLOWED, detail, evidence)
    if chain_id == ANY_CHAIN and not policy.allow_any_chain_delegation:
        detail = "the authorization is for chain 0, which is every chain"
        return Rejected(Reason.ANY_CHAIN_DELEGATION, detail, evidence)
    return None
