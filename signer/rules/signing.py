"""Is everything there that a signature needs: a granted key that opens, fees, a free nonce?"""

from schemas.intent import Intent
from schemas.policy import Policy
from schemas.reasons import Reason
from signer.account import Account
from signer.fees import resolve
from signer.keys import KeyDescriptor, may_use
from signer.rules.decision import PASSED, Decision, Facts, Rejected
from signer.rules.simulation import estimate

# Nonces that are passed over can never be used, so a simulator may not lead far ahead.
PENDING_AHEAD_MAX = 64


def decide(intent: Intent, _policy: Policy, account: Account, facts: Facts) -> Decision:
    """Reject by the key, the fees and an explicit nonce, in this order."""
    key = facts.key
    if key is None:
        return Rejected(Reason.KEY_UNKNOWN, f"no key at {intent.key_path}")
    if not may_use(facts.agent.key_paths, intent.agent, intent.key_path):
        return Rejected(Reason.KEY_NOT_GRANTED, f"no right to the key at {intent.key_path}")
    if not facts.key_open:
        return Rejected(Reason.KEY_UNAVAILABLE, f"the key at {intent.key_path} did not open")
    if resolve(intent, estimate(facts), facts.chain) is None:
        return Rejected(Reason.FEE_UNKNOWN, "nobody says gas or fees")
    used_next = account.next_nonce(key.address, intent.chain_id)
    return _nonce(intent, used_next, nonce_next(intent, account, key, facts))


def nonce_next(intent: Intent, account: Account, key: KeyDescriptor, facts: Facts) -> int:
    """Return the one nonce that may be used: above every used one, and what is pending."""
    report = estimate(facts)
    pending = report.pending_nonce if report else None
    return max(account.next_nonce(key.address, intent.chain_id), pending or 0)


def _nonce(intent: Intent, used_next: int, following: int) -> Decision:
    """Refuse every nonce but the next: one above it would leave a hole that nothing can fill."""
    if following > used_next + PENDING_AHEAD_MAX:
        detail = f"a simulator says nonce {following} is next, and the signer {used_next}"
        return Rejected(Reason.NONCE_TOO_HIGH, detail)
    if intent.nonce is None or intent.nonce == following:
        return PASSED
    below = intent.nonce < following
    reason = Reason.NONCE_USED if below else Reason.NONCE_TOO_HIGH
    side = "below" if below else "above"
    detail = f"nonce {intent.nonce} is {side} the next one, {following}: use that or none"
    return Rejected(reason, detail)
