"""What to do about a refusal: one next step for each reason; pure.

A reason's own sentence (``schemas/reasons.py``) says what is; this says what helps. Words in braces
are filled from the intent.
"""

from schemas.intent import Intent
from schemas.reasons import Reason

ADVICE: dict[Reason, str] = {
    Reason.MALFORMED: "submit a line as docs/cli.md describes, or the envelope as it was signed",
    Reason.SIGNATURE_INVALID: "sign with the key that sixgate agents show {agent} names",
    Reason.AGENT_UNKNOWN: "sixgate agents add {agent} --account {account} …",
    Reason.MISROUTED: "send it with its account as the key: sixgate submit does",
    Reason.AGENT_INACTIVE: "sixgate agents update {agent} --activate",
    Reason.AGENT_EXPIRED: "sixgate agents update {agent} --expires-in 30d",
    Reason.INTENTS_API_OFF: "sixgate agents update {agent} --intents-api",
    Reason.POLICY_MISSING: "sixgate agents update {agent} --policy FILE",
    Reason.POLICY_NOT_EXPLICIT: "name the open limits with sixgate agents update {agent}",
    Reason.EXPIRED: "submit it anew, with a longer expires_in_s if it waited",
    Reason.EXPIRY_TOO_FAR: "set expires_in_s to at most 86400",
    Reason.IDEMPOTENCY_CONFLICT: "use a new idempotency_key for a new request",
    Reason.RATE_EXCEEDED: "submit again in a minute, or sixgate agents update {agent} --rate N",
    Reason.RECIPIENT_NOT_ALLOWED: (
        "allow it with sixgate agents update {agent} --allow-to …, with the present ones: it "
        "replaces the list"
    ),
    Reason.CONTRACT_CREATION: "sixgate agents update {agent} --allow-creation",
    Reason.VALUE_TOO_HIGH: "ask for less, or sixgate agents update {agent} --max-value-eth ETH",
    Reason.FEE_TOO_HIGH: (
        "lower gas_limit or max_fee_gwei, or sixgate agents update {agent} --max-fee-eth ETH"
    ),
    Reason.DAILY_LIMIT_EXCEEDED: (
        "wait (sixgate agents show {agent}), or sixgate agents update {agent} --daily-limit-eth ETH"
    ),
    Reason.CHAIN_UNKNOWN: "sixgate chains list has the chains; sixgate chains add makes one known",
    Reason.CHAIN_NOT_ALLOWED: (
        "allow it with sixgate agents update {agent} --chains …, with the present ones: it "
        "replaces the list"
    ),
    Reason.SIMULATION_MISSING: "give the chain a simulator (docs/simulation.md)",
    Reason.SIMULATION_REVERTED: "mend the call or the balance that it needs",
    Reason.SIMULATION_FAILED: "submit it again; docs/simulation.md has the bounds",
    Reason.SIMULATION_STALE: "submit it again, or sixgate settings set simulation.age_ms_max MS",
    Reason.SIMULATION_UNTRUSTED: "register the simulator that signs (docs/simulation.md)",
    Reason.KEY_UNKNOWN: "sixgate keys provision {key_path} --agent {agent}",
    Reason.KEY_NOT_GRANTED: (
        "sixgate agents update {agent} --key-path {key_path}, and one for each key that it is to "
        "keep: they replace all grants"
    ),
    Reason.KEY_INACTIVE: "sixgate keys rotate {key_path} --account {account} makes a new version",
    Reason.KEY_CHAIN_WRONG: "name another key_path: this key holds an address and signs nothing",
    Reason.KEY_UNAVAILABLE: "look at the key's KMS, then submit it again",
    Reason.CLIENT_SHARE_MISSING: "seal its share with sixgate keys seal-share, and send that",
    Reason.CLIENT_SHARE_WRONG: "seal the share of this agent, key and version, and submit it again",
    Reason.FEE_UNKNOWN: (
        "set gas_limit, max_fee_gwei and max_priority_fee_gwei (for blobs also max_blob_fee_gwei) "
        "in the line, or the options of sixgate tx sign; or sixgate chains update {chain} "
        "--gas-limit … --max-fee-gwei … --priority-fee-gwei …"
    ),
    Reason.NONCE_USED: "leave nonce out: the next free one is taken",
    Reason.NONCE_TOO_HIGH: "leave nonce out: the next free one is taken",
    Reason.INVALID_TRANSACTION: "mend what the detail names",
    Reason.MESSAGE_SIGNING_OFF: "sixgate agents update {agent} --messages",
    Reason.MESSAGE_TOO_LARGE: "sign a digest of it inside a short message, or split it",
    Reason.RAW_HASH: (
        "sign the text itself; sixgate agents update {agent} --raw-hashes allows what could be "
        "anything"
    ),
    Reason.INVALID_TYPED_DATA: "mend what the detail names; docs/signing.md has the rules",
    Reason.DOMAIN_NOT_ALLOWED: (
        "list the contract in eip712_domain_allowlist: sixgate agents update {agent} --policy FILE"
    ),
    Reason.SPENDING_NOT_ALLOWED: (
        "only if it may spend: list contract and type in eip712_domain_allowlist with sixgate "
        "agents update {agent} --policy FILE"
    ),
    Reason.DELEGATE_NOT_ALLOWED: (
        "sixgate agents update {agent} --delegates ADDRESSES, with the present ones: it "
        "replaces the list"
    ),
    Reason.ANY_CHAIN_DELEGATION: (
        "name one chain, or sixgate agents update {agent} --any-chain-delegation"
    ),
    Reason.INTERNAL_ERROR: "report it, with what sixgate intents show prints",
}


def advice(reason: str, intent: Intent, chain: str) -> str:
    """Return the next step for a refused intent; ``chain`` is its chain's name."""
    names = {"agent": intent.agent, "account": intent.account, "key_path": intent.key_path}
    return ADVICE[Reason(reason)].format(chain=chain, **names)
