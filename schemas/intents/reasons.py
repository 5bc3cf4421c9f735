"""Reasons of rejected intents: stable codes and their meanings."""

from enum import StrEnum


class Reason(StrEnum):
    """Why an intent was rejected; a code never changes its meaning."""

    # input that is not an authenticated intent
    MALFORMED = "malformed"
    SIGNATURE_INVALID = "signature_invalid"
    AGENT_UNKNOWN = "agent_unknown"
    MISROUTED = "misrouted"
    # admission
    AGENT_INACTIVE = "agent_inactive"
    AGENT_EXPIRED = "agent_expired"
    INTENTS_API_OFF = "intents_api_off"
    POLICY_MISSING = "policy_missing"
    POLICY_NOT_EXPLICIT = "policy_not_explicit"
    EXPIRED = "expired"
    EXPIRY_TOO_FAR = "expiry_too_far"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    RATE_EXCEEDED = "rate_exceeded"
    # allowlist
    RECIPIENT_NOT_ALLOWED = "recipient_not_allowed"
    CONTRACT_CREATION = "contract_creation"
    # value cap
    VALUE_TOO_HIGH = "value_too_high"
    FEE_TOO_HIGH = "fee_too_high"
    # daily limit
    DAILY_LIMIT_EXCEEDED = "daily_limit_exceeded"
    # chain restriction
    CHAIN_UNKNOWN = "chain_unknown"
    CHAIN_NOT_ALLOWED = "chain_not_allowed"
    # simulation
    SIMULATION_MISSING = "simulation_missing"
    SIMULATION_REVERTED = "simulation_reverted"
    SIMULATION_FAILED = "simulation_failed"
    SIMULATION_STALE = "simulation_stale"
    SIMULATION_UNTRUSTED = "simulation_untrusted"
    # signing
    KEY_UNKNOWN = "key_unknown"
    KEY_NOT_GRANTED = "key_not_granted"
    KEY_INACTIVE = "key_inactive"
    KEY_CHAIN_WRONG = "key_chain_wrong"
    KEY_UNAVAILABLE = "key_unavailable"
    CLIENT_SHARE_MISSING = "client_share_missing"
    CLIENT_SHARE_WRONG = "client_share_wrong"
    FEE_UNKNOWN = "fee_unknown"
    NONCE_USED = "nonce_used"
    NONCE_TOO_HIGH = "nonce_too_high"
    INVALID_TRANSACTION = "invalid_transaction"
    # messages, typed data, authorizations
    MESSAGE_SIGNING_OFF = "message_signing_off"
    MESSAGE_TOO_LARGE = "message_too_large"
    RAW_HASH = "raw_hash"
    INVALID_TYPED_DATA = "invalid_typed_data"
    DOMAIN_NOT_ALLOWED = "domain_not_allowed"
    SPENDING_NOT_ALLOWED = "spending_not_allowed"
    DELEGATE_NOT_ALLOWED = "delegate_not_allowed"
    ANY_CHAIN_DELEGATION = "any_chain_delegation"
    INTERNAL_ERROR = "internal_error"


MEANING: dict[Reason, str] = {
    Reason.MALFORMED: "The bytes are not a canonical intent in a canonical envelope.",
    Reason.SIGNATURE_INVALID: "The named agent did not make the signature over these bytes.",
    Reason.AGENT_UNKNOWN: "No such agent, or it belongs to another account.",
    Reason.MISROUTED: "The record's key is not its account, or its partition is wrong.",
    Reason.AGENT_INACTIVE: "The agent was deactivated.",
    Reason.AGENT_EXPIRED: "The agent's registration has expired.",
    Reason.INTENTS_API_OFF: "The agent may not submit intents.",
    Reason.POLICY_MISSING: "The agent's policy is not registered.",
    Reason.POLICY_NOT_EXPLICIT: "The policy leaves a field open; set it to any or unlimited.",
    Reason.EXPIRED: "The intent's expires_at_ms has passed.",
    Reason.EXPIRY_TOO_FAR: "The intent expires more than 24 hours ahead.",
    Reason.IDEMPOTENCY_CONFLICT: "The agent used this idempotency key for another request.",
    Reason.RATE_EXCEEDED: "The agent exceeded its intents per minute.",
    Reason.RECIPIENT_NOT_ALLOWED: "The recipient is not on the allowlist.",
    Reason.CONTRACT_CREATION: "The policy does not allow contract creation.",
    Reason.VALUE_TOO_HIGH: "The value is over the cap of one transaction.",
    Reason.FEE_TOO_HIGH: "The maximum cost of gas and blobs is over the fee cap.",
    Reason.DAILY_LIMIT_EXCEEDED: "The account's rolling 24-hour sum would exceed the limit.",
    Reason.CHAIN_UNKNOWN: "The chain is not registered.",
    Reason.CHAIN_NOT_ALLOWED: "The policy does not name the chain.",
    Reason.SIMULATION_MISSING: "A simulation is required and no simulator answered for the chain.",
    Reason.SIMULATION_REVERTED: "The simulated transaction reverted.",
    Reason.SIMULATION_FAILED: "The simulation failed or timed out.",
    Reason.SIMULATION_STALE: "The simulation is older than the organisation accepts.",
    Reason.SIMULATION_UNTRUSTED: "No registered simulator signed the report for this intent.",
    Reason.KEY_UNKNOWN: "No key is provisioned at the key path.",
    Reason.KEY_NOT_GRANTED: "The agent has no grant for the key, or the key is another account's.",
    Reason.KEY_INACTIVE: "The key was deactivated.",
    Reason.KEY_CHAIN_WRONG: "The key cannot sign: keys of its chain only hold an address.",
    Reason.KEY_UNAVAILABLE: "The key could not be opened.",
    Reason.CLIENT_SHARE_MISSING: "The key needs a client share; the intent carries none "
    "that is sealed to a current share key for this key version.",
    Reason.CLIENT_SHARE_WRONG: "The intent's client share does not open the key.",
    Reason.FEE_UNKNOWN: "Neither intent, simulation nor the chain's defaults set fees and gas.",
    Reason.NONCE_USED: "The nonce is below the next free one.",
    Reason.NONCE_TOO_HIGH: "The nonce is above the next free one and would leave a gap.",
    Reason.INVALID_TRANSACTION: "The transaction breaks a rule of the protocol.",
    Reason.MESSAGE_SIGNING_OFF: "The policy does not allow messages.",
    Reason.MESSAGE_TOO_LARGE: "The message is over 64 KiB.",
    Reason.RAW_HASH: "The message is a hash, or could be the bytes of a transaction or typed data.",
    Reason.INVALID_TYPED_DATA: "The typed data breaks a rule of EIP-712 or of its strict parsing.",
    Reason.DOMAIN_NOT_ALLOWED: "The policy does not list the domain with this type.",
    Reason.SPENDING_NOT_ALLOWED: "The typed data can spend, and the policy does not list it.",
    Reason.DELEGATE_NOT_ALLOWED: "The policy does not list the contract to delegate to.",
    Reason.ANY_CHAIN_DELEGATION: "The delegation would be valid on every chain.",
    Reason.INTERNAL_ERROR: "A rule failed on this intent; nothing was signed.",
}
