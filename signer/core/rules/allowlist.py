"""Allowlist rule of transactions: recipient, contract creation and EIP-7702 delegates."""

from schemas.intents.intent import TransactionIntent
from schemas.intents.reasons import Reason
from schemas.registry.policy import Policy
from signer.core.account import Account
from signer.core.rules.decision import PASSED, Decision, GateFacts, Rejected
from signer.core.rules.delegation import judge_delegate


def decide(
    intent: TransactionIntent, policy: Policy, _account: Account, _facts: GateFacts
) -> Decision:
    """Reject a recipient or delegate that is not listed, and creation unless it is allowed.

    Every entry of an authorization list is judged, regardless of its signer: the chain applies all.
    """
    return _recipient(intent.to, policy) or _delegates(intent, policy) or PASSED


def _recipient(to: str | None, policy: Policy) -> Rejected | None:
    if to is None:
        if policy.allow_contract_creation:
            return None
        return Rejected(Reason.CONTRACT_CREATION, "the policy does not allow contract creation")
    if policy.recipients is None or to in policy.recipients:
        return None
    return Rejected(Reason.RECIPIENT_NOT_ALLOWED, f"{to} is not on the allowlist", {"to": to})


def _delegates(intent: TransactionIntent, policy: Policy) -> Rejected | None:
    for number, entry in enumerate(intent.authorization_list or ()):
        place = f"authorization_list[{number}]"
        rejected = judge_delegate(entry.address, entry.chain_id, policy)
        if rejected is not None:
            detail = f"{place}: {rejected.detail}"
            return Rejected(rejected.reason, detail, rejected.evidence | {"place": place})
    return None
