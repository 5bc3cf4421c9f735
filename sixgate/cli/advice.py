"""Advice: the next step for each reason of a rejection; pure.

A reason's own sentence (``schemas/intents/reason_meanings.py``) says what is wrong. Names in braces
are filled in from the intent.
"""

import shlex

from schemas.intents.intent import Intent
from schemas.intents.reasons import Reason

QUOTA = "quota_exceeded"
QUOTA_ADVICE = "submit it again later, or raise intake.agent_bytes_per_day_max (docs/operations.md)"
ADVICE: dict[Reason, str] = {
    Reason.MALFORMED: "submit a line as docs/cli.md describes, or the unchanged envelope",
    Reason.SIGNATURE_INVALID: "sign with the registered key: see sixgate agents show {agent}",
    Reason.AGENT_UNKNOWN: "sixgate agents add {agent} --account {account} …",
    Reason.MISROUTED: "use its account as the Kafka key, as sixgate submit does",
    Reason.AGENT_INACTIVE: "sixgate agents update {agent} --activate",
    Reason.AGENT_EXPIRED: "sixgate agents update {agent} --expires-in 30d",
    Reason.INTENTS_API_OFF: "sixgate agents update {agent} --intents-api",
    Reason.POLICY_MISSING: "sixgate agents update {agent} --policy FILE",
    Reason.POLICY_NOT_EXPLICIT: "set the missing limits with sixgate agents update {agent}",
    Reason.EXPIRED: "submit it again, with a longer expires_in_s if it waited",
    Reason.EXPIRY_TOO_FAR: "set expires_in_s to at most 86400",
    Reason.IDEMPOTENCY_CONFLICT: (
        "this key was used for a request with other fields: see sixgate intents list --agent "
        "{agent} --key {idempotency_key} before you send anything again; only a request that is "
        "meant to be signed in addition to that one takes a new idempotency_key"
    ),
    Reason.RATE_EXCEEDED: "submit again in a minute, or sixgate agents update {agent} --rate N",
    Reason.RECIPIENT_NOT_ALLOWED: (
        "allow it with sixgate agents update {agent} --allow-to …: it replaces the list, so repeat "
        "the present ones"
    ),
    Reason.CONTRACT_CREATION: "sixgate agents update {agent} --allow-creation",
    Reason.VALUE_TOO_HIGH: "lower the value, or sixgate agents update {agent} --max-value-eth ETH",
    Reason.FEE_TOO_HIGH: (
        "lower gas_limit or max_fee_gwei, or sixgate agents update {agent} --max-fee-eth ETH"
    ),
    Reason.DAILY_LIMIT_EXCEEDED: (
        "wait (sixgate agents show {agent}), or sixgate agents update {agent} --daily-limit-eth ETH"
    ),
    Reason.CHAIN_UNKNOWN: "choose a chain of sixgate chains list, or use sixgate chains add",
    Reason.CHAIN_NOT_ALLOWED: (
        "allow it with sixgate agents update {agent} --chains …: it replaces the list, so repeat "
        "the present ones"
    ),
    Reason.SIMULATION_MISSING: "set up a simulator for the chain (docs/simulation.md)",
    Reason.SIMULATION_REVERTED: "fix the call, or fund the balance that it needs",
    Reason.SIMULATION_FAILED: "submit it again; docs/simulation.md lists the limits",
    Reason.SIMULATION_STALE: "submit it again, or sixgate settings set simulation.age_ms_max MS",
    Reason.SIMULATION_UNTRUSTED: "register the simulator that signed (docs/simulation.md)",
    Reason.KEY_UNKNOWN: "sixgate keys provision {key_path} --agent {agent}",
    Reason.KEY_NOT_GRANTED: (
        "sixgate agents update {agent} --key-path {key_path}: it replaces all grants, so repeat "
        "--key-path for each key to keep"
    ),
    Reason.KEY_INACTIVE: "sixgate keys rotate {key_path} --account {account} makes a new version",
    Reason.KEY_CHAIN_WRONG: "choose another key_path: this key has an address but cannot sign",
    Reason.KEY_UNAVAILABLE: "check the key's KMS, then submit it again",
    Reason.CLIENT_SHARE_MISSING: "add the output of sixgate keys seal-share to the intent",
    Reason.CLIENT_SHARE_WRONG: "seal the share for this agent, key and version, and retry",
    Reason.FEE_UNKNOWN: (
        "set gas_limit, max_fee_gwei and max_priority_fee_gwei (for blobs also max_blob_fee_gwei) "
        "in the line, or the options of sixgate tx sign; or sixgate chains update {chain} "
        "--gas-limit … --max-fee-gwei … --priority-fee-gwei …"
    ),
    Reason.NONCE_USED: "omit nonce: the next free one is used",
    Reason.NONCE_TOO_HIGH: "omit nonce: the next free one is used",
    Reason.INVALID_TRANSACTION: "fix what the detail names",
    Reason.MESSAGE_SIGNING_OFF: "sixgate agents update {agent} --messages",
    Reason.MESSAGE_TOO_LARGE: "sign a digest of it inside a short message, or split it",
    Reason.RAW_HASH: (
        "sign the text itself; sixgate agents update {agent} --raw-hashes allows messages that "
        "could be a hash of anything"
    ),
    Reason.INVALID_TYPED_DATA: "fix what the detail names; docs/signing.md lists the rules",
    Reason.DOMAIN_NOT_ALLOWED: (
        "list the contract in eip712_domain_allowlist: sixgate agents update {agent} --policy FILE"
    ),
    Reason.SPENDING_NOT_ALLOWED: (
        "if it may spend, list contract and type in eip712_domain_allowlist: sixgate agents update "
        "{agent} --policy FILE"
    ),
    Reason.DELEGATE_NOT_ALLOWED: (
        "sixgate agents update {agent} --delegates ADDRESSES: it replaces the list, so repeat the "
        "present ones"
    ),
    Reason.ANY_CHAIN_DELEGATION: (
        "name one chain, or sixgate agents update {agent} --any-chain-delegation"
    ),
    Reason.INTERNAL_ERROR: "report it with the output of sixgate intents show",
}


def advice(reason: str, intent: Intent, chain: str) -> str:
    """Return the next step for a rejected intent; ``chain`` is the name of its chain."""
    names = {
        "agent": intent.agent,
        "account": intent.account,
        "key_path": intent.key_path,
        "idempotency_key": shlex.quote(intent.idempotency_key),
    }
    text = QUOTA_ADVICE if reason == QUOTA else ADVICE[Reason(reason)]
    return text.format(chain=chain, **names)
