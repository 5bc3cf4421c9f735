"""Admission rule: agent, policy, expiry, idempotency key and rate limit."""

from schemas.intents.intent import EXPIRY_MS_MAX, Intent, TransactionIntent
from schemas.intents.reasons import Reason
from schemas.registry.policy import Policy
from signer.core.account import Account
from signer.core.rules.decision import PASSED, Decision, Facts, GateFacts, Passed, Rejected, invalid
from signer.core.transactions import type_problem


def decide(intent: Intent, policy: Policy, account: Account, facts: GateFacts) -> Decision:
    """Reject by agent and policy, the intent's expiry, its idempotency key and the rate limit."""
    return (
        _agent_problem(policy, facts)
        or _expiry_problem(intent, facts)
        or _idempotency_conflict(intent, facts)
        or _rate_problem(policy, account, facts)
        or PASSED
    )


def decide_transaction(
    intent: TransactionIntent, policy: Policy, account: Account, facts: GateFacts
) -> Decision:
    """Reject as ``decide``, then fields that do not form a transaction of one type."""
    decision = decide(intent, policy, account, facts)
    problem = type_problem(intent) if isinstance(decision, Passed) else None
    return invalid(problem) if problem else decision


def _agent_problem(policy: Policy, facts: GateFacts) -> Rejected | None:
    agent = facts.agent
    if not agent.active:
        return Rejected(Reason.AGENT_INACTIVE, f"agent {agent.agent} was deactivated")
    if agent.expires_at_ms is not None and agent.expires_at_ms <= facts.at_ms:
        return Rejected(Reason.AGENT_EXPIRED, f"agent {agent.agent} expired")
    if not agent.intents_api_enabled:
        return Rejected(Reason.INTENTS_API_OFF, f"agent {agent.agent} may not submit intents")
    if facts.settings.require_explicit and policy.open_fields:
        names = ", ".join(policy.open_fields)
        return Rejected(Reason.POLICY_NOT_EXPLICIT, f"the policy leaves open: {names}")
    return None


def _expiry_problem(intent: Intent, facts: GateFacts) -> Rejected | None:
    left_ms = intent.expires_at_ms - facts.at_ms
    evidence = {"at_ms": str(facts.at_ms), "expires_at_ms": str(intent.expires_at_ms)}
    if left_ms <= 0:
        return Rejected(Reason.EXPIRED, "the intent has expired", evidence)
    if left_ms > EXPIRY_MS_MAX:
        return Rejected(Reason.EXPIRY_TOO_FAR, "the intent expires more than 24 h ahead", evidence)
    return None


def _idempotency_conflict(intent: Intent, facts: GateFacts) -> Rejected | None:
    # Only the signer remembers which request used a key first.
    if not isinstance(facts, Facts) or facts.owner is None:
        return None
    detail = f"idempotency key {intent.idempotency_key} belongs to another request"
    return Rejected(Reason.IDEMPOTENCY_CONFLICT, detail, {"first": facts.owner.intent})


def is_over_rate(policy: Policy, account: Account, facts: GateFacts) -> bool:
    """Return whether an agent has submitted as many intents in the last minute as it may."""
    limit = policy.intents_max
    return limit is not None and account.intents_of(facts.agent.agent, facts.at_ms) >= limit


def _rate_problem(policy: Policy, account: Account, facts: GateFacts) -> Rejected | None:
    if is_over_rate(policy, account, facts):
        detail = f"the agent exceeded {policy.intents_max} intents per minute"
        return Rejected(Reason.RATE_EXCEEDED, detail)
    # Only the marker is left of intents that expire in this minute. This one may be one of them:
    # that the ledger has no outcome of it is no proof.
    if isinstance(facts, Facts) and facts.has_marker:
        detail = "the agent exceeded its rate with intents that expire in the same minute"
        return Rejected(Reason.RATE_EXCEEDED, f"{detail}: sign again with another expiry")
    return None
