"""Signing rule: a granted key that opens, fees and a free nonce."""

from schemas.intents.intent import AuthorizationIntent, Intent, TransactionIntent
from schemas.intents.reasons import Reason
from schemas.registry.policy import Policy
from signer.core.access import may_sign
from signer.core.account import Account
from signer.core.fees import resolve_fees
from signer.core.key_ref import KeyRef
from signer.core.nonces import ANY_CHAIN
from signer.core.rules.decision import PASSED, Decision, Facts, Rejected
from signer.core.rules.simulation import usable_report

# Skipped nonces can never be used, so a simulator's pending nonce may be only this far ahead.
PENDING_AHEAD_MAX = 64
# Each is stored permanently: the address may still reach that nonce on any chain.
ANY_CHAIN_MAX = 64


def decide(intent: TransactionIntent, _policy: Policy, account: Account, facts: Facts) -> Decision:
    """Reject by the key, the fees and an explicit nonce, in this order."""
    key = usable_key(intent, facts)
    if isinstance(key, Rejected):
        return key
    if resolve_fees(intent, usable_report(facts), facts.chain) is None:
        return Rejected(Reason.FEE_UNKNOWN, "no source sets gas and fees")
    signer_next = account.next_nonce(key.address, intent.chain_id)
    next_nonce = nonce_next(intent, account, key, facts)
    if next_nonce > signer_next + PENDING_AHEAD_MAX:
        detail = f"the next nonce is {next_nonce} by the simulator, and {signer_next} by the signer"
        return Rejected(Reason.NONCE_TOO_HIGH, detail)
    return _explicit(intent.nonce, next_nonce)


def decide_delegation(
    intent: AuthorizationIntent, _policy: Policy, account: Account, facts: Facts
) -> Decision:
    """Reject by the key and an explicit nonce, which must be the next one or the one after it.

    The one after it is for a delegation inside a transaction of the address itself: that
    transaction uses the next one.
    """
    key = usable_key(intent, facts)
    if isinstance(key, Rejected):
        return key
    sender, chain_id = key.address, intent.chain_id
    if chain_id == ANY_CHAIN and account.delegations_for_every_chain(sender) >= ANY_CHAIN_MAX:
        detail = f"{sender} has signed {ANY_CHAIN_MAX} for every chain, the maximum"
        return Rejected(Reason.ANY_CHAIN_DELEGATION, detail)
    next_nonce = account.next_nonce(sender, chain_id)
    one_after = account.next_nonce(sender, chain_id, next_nonce + 1)
    if intent.nonce == one_after == next_nonce + 1:
        return PASSED
    return _explicit(intent.nonce, next_nonce)


def decide_key(intent: Intent, _policy: Policy, _account: Account, facts: Facts) -> Decision:
    """Reject by the key alone: a message has no fees and no nonce."""
    key = usable_key(intent, facts)
    return key if isinstance(key, Rejected) else PASSED


def usable_key(intent: Intent, facts: Facts) -> KeyRef | Rejected:
    """Return the intent's key if it exists, is granted to the agent, signs and opens."""
    key, path = facts.key, intent.key_path
    if key is None:
        return Rejected(Reason.KEY_UNKNOWN, f"no key at {path}")
    if not may_sign(facts.agent, facts.grants, key.vault, path):
        return Rejected(Reason.KEY_NOT_GRANTED, f"no grant for the key at {path}")
    if not key.active:
        return Rejected(Reason.KEY_INACTIVE, f"the key at {path} is {key.state}")
    if not key.signs:
        detail = f"the key at {path} is of {key.chain}: it holds an address only"
        return Rejected(Reason.KEY_CHAIN_WRONG, detail)
    if facts.key_problem is not None:
        return Rejected(facts.key_problem, f"the key at {path} did not open")
    return key


def nonce_next(intent: TransactionIntent, account: Account, key: KeyRef, facts: Facts) -> int:
    """Return the next nonce: the lowest free one, at least the simulator's pending nonce."""
    report = usable_report(facts)
    pending = report.pending_nonce if report else None
    return account.next_nonce(key.address, intent.chain_id, pending or 0)


def _explicit(nonce: int | None, next_nonce: int) -> Decision:
    """Reject every nonce but the next; a higher one would leave a gap that nothing can fill."""
    if nonce is None or nonce == next_nonce:
        return PASSED
    below = nonce < next_nonce
    reason = Reason.NONCE_USED if below else Reason.NONCE_TOO_HIGH
    side = "below" if below else "above"
    detail = f"nonce {nonce} is {side} the next one, {next_nonce}: use that one, or omit it"
    return Rejected(reason, detail)
