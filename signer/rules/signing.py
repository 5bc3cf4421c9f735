"""Is everything there that a signature needs: a granted key that opens, fees, a free nonce?"""

from schemas.intent import Intent
from schemas.policy import Policy
from schemas.reasons import Reason
from signer.account import Account
from signer.fees import resolve
from signer.keys import KeyDescriptor, may_use
from signer.rules.decision import PASSED, Decision, Facts, Rejected
from signer.rules.simulation import estimate

# What a node's pool queues of one account behind a gap (go-ethereum's default).
NONCE_AHEAD_MAX = 64


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
    return _nonce(intent, nonce_lowest(intent, account, key, facts))


def nonce_lowest(intent: Intent, account: Account, key: KeyDescriptor, facts: Facts) -> int:
    """Return the lowest free nonce: above every one used, and what a simulator saw pending."""
    report = estimate(facts)
    pending = report.pending_nonce if report else None
    return max(account.next_nonce(key.address, intent.chain_id), pending or 0)


def _nonce(intent: Intent, lowest: int) -> Decision:
    if intent.nonce is None or lowest <= intent.nonce <= lowest + NONCE_AHEAD_MAX:
        return PASSED
    if intent.nonce < lowest:
        return Rejected(Reason.NONCE_USED, f"nonce {intent.nonce} is below {lowest}")
    detail = f"nonce {intent.nonce} leaves a gap of over {NONCE_AHEAD_MAX} after {lowest}"
    return Rejected(Reason.NONCE_TOO_HIGH, detail)
