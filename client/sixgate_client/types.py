"""Requests and replies of the API as typed dictionaries; a reply may have more members."""

from typing import Any, Literal, Required, TypedDict

CustodyMode = Literal[
    "2of2_client_custody", "2of3_multi_hsm", "2of3_client_custody", "2of3_multi_hsm_client"
]


class TransactionFields(TypedDict, total=False):
    """A transaction to submit, sign or simulate.

    ``value`` is decimal ETH, fees are wei; integers may be text.
    """

    chain: Required[str]
    to: str
    value: str
    data: str
    signing_key_path: str
    simulate_first: bool
    nonce: int
    gas_limit: int
    gas_price: str
    max_fee_per_gas: str
    max_priority_fee_per_gas: str


class AgentFields(TypedDict, total=False):
    """What can be set on an agent; ``None`` clears a limit."""

    name: str
    description: str
    is_active: bool
    intents_api_enabled: bool
    message_signing_enabled: bool
    eip712_default_policy: Literal["deny", "allow"]
    eip712_domain_allowlist: list[dict[str, str]]
    tx_allowed_chains: list[str]
    tx_to_allowlist: list[str]
    delegate_allowlist: list[str]
    tx_max_fee_eth: str
    intents_per_minute: int | Literal["unlimited"] | None
    tx_max_value_eth: str | None
    tx_daily_limit_eth: str | None
    token_ttl_seconds: int
    vault_ids: list[str]
    scopes: list[str]
    api_key_expires_at: str | None
    expires_at: str | None


class AuditFilters(TypedDict, total=False):
    """Filters of audit events; ``since`` and ``until`` are RFC 3339."""

    action: str
    actor_id: str
    resource_id: str
    since: str
    until: str


class Transaction(TypedDict, total=False):
    """A transaction of an agent; ``signed_tx`` is there if it was asked for."""

    id: Required[str]
    status: Required[str]
    tx_hash: str
    signed_tx: str
    chain: str
    chain_id: int
    nonce: int
    value_wei: str
    broadcast: bool
    created_at: str
    detail: str


class MessageSignature(TypedDict, total=False):
    """A signature over a message or typed data."""

    signature: Required[str]
    message_hash: str
    typed_data_hash: str
    from_address: str


class SigningKey(TypedDict, total=False):
    """The public part of an agent's key of one chain."""

    chain: Required[str]
    address: Required[str]
    public_key: str
    curve: str
    key_version: int
    is_active: bool


class Simulation(TypedDict, total=False):
    """What one transaction would do."""

    simulation_id: str
    status: Required[str]
    gas_used: int
    balance_changes: list[dict[str, str]]


class Agent(AgentFields, total=False):
    """An agent; ``api_key`` is there once, when the key was made."""

    id: Required[str]
    org_id: str
    api_key: str
    tx_spent_today_eth: str
    signing_chains: list[str]
    evm_address: str | None


class Secret(TypedDict, total=False):
    """A version of a secret; ``client_share`` is there once, in modes with client custody."""

    path: Required[str]
    version: Required[int]
    value: str
    type: str
    client_share: str
    metadata: dict[str, Any]
