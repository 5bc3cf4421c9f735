"""Message rule: which messages EIP-191 personal_sign may sign."""

from schemas.intents.intent import MessageIntent
from schemas.intents.reasons import Reason
from schemas.registry.policy import Policy
from signer.core.account import Account
from signer.core.ethereum.personal_message import mistakable_for, personal_message_hash
from signer.core.rules.decision import Decision, GateFacts, Passed, Rejected, Signable

MESSAGE_BYTES_MAX = 64 * 1024


def decide(intent: MessageIntent, policy: Policy, _account: Account, _facts: GateFacts) -> Decision:
    """Reject a message that is too large, or could be a hash, a transaction or typed data.

    ``allow_raw_hashes`` allows hashes and pre-images.
    """
    if not policy.message_signing_enabled:
        return Rejected(Reason.MESSAGE_SIGNING_OFF, "the policy does not allow messages")
    message = bytes.fromhex(intent.message[2:])
    if len(message) > MESSAGE_BYTES_MAX:
        detail = f"the message is {len(message)} bytes; the maximum is {MESSAGE_BYTES_MAX}"
        return Rejected(Reason.MESSAGE_TOO_LARGE, detail)
    digest = personal_message_hash(message)
    evidence = {"digest": f"0x{digest.hex()}"}
    other = None if policy.allow_raw_hashes else mistakable_for(message)
    if other is not None:
        return Rejected(Reason.RAW_HASH, f"the message could be {other}", evidence)
    return Passed(evidence, Signable(digest, {}))
