"""Gates, and the reasons for which they reject intents: stable codes."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from schemas.fields import Name

# What a gate saw when it judged, by name.
Evidence = dict[Name, Annotated[str, Field(max_length=1024)]]


class Gate(StrEnum):
    """The stages of the pipeline, in order."""

    ADMISSION = "admission"
    ALLOWLIST = "allowlist"
    VALUE_CAP = "value-cap"
    DAILY_LIMIT = "daily-limit"
    CHAIN_RESTRICTION = "chain-restriction"
    SIMULATION = "simulation"
    SIGNING = "signing"


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
