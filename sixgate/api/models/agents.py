"""Requests and replies of the agent routes.

A guardrail that is not enforced is no member of a request, so sending it is a 400 that names it,
unless its value asks for nothing.
"""

from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field

from schemas.fields import Count
from schemas.registry.policy import FEE_ETH_MAX_DEFAULT
from sixgate.api.models.base import Reply, Request, Time
from sixgate.gateway.tokens import TTL_S_MAX, TTL_S_MIN

UNSUPPORTED = MappingProxyType(
    dict.fromkeys(
        (
            "action_approval_policy",
            "approval_id",
            "cards_enabled",
            "discoverable",
            "env_auto_resolve",
            "environment",
            "environment_locked",
            "execution_guardrails",
            "execution_intents_enabled",
            "execution_require_tee",
            "federated_token_ttl_seconds",
            "federation_audiences",
            "federation_enabled",
            "intents_require_tee",
            "memory_enabled",
            "new_recipient_cap_native",
            "per_chain_guardrails",
            "per_environment_guardrails",
            "personal_sign_policy",
            "raw_signing_enabled",
            "scopes",
            "shroud_config",
            "shroud_enabled",
            "solana_ata_allowlist",
            "tx_approval_policy",
            "tx_block_unlimited_approvals",
            "tx_daily_limit_usd",
            "tx_known_tokens_only",
            "tx_max_per_day",
            "tx_max_value_usd",
            "tx_overhead_budget",
            "tx_per_recipient_daily_limit",
            "tx_per_recipient_max_per_day",
            "tx_token_allowlist",
            "xrpl_allowed_tx_types",
        )
    )
    | {"auth_method": "api_key", "simulation_failure_policy": "deny"}
)
"""Members that are off when they are null, false or empty.

``allow_erc4337`` and ``allow_eip7702`` are not among them: false would forbid something.
"""
RATE_NEW = 600
"""Intents per minute of a new agent, written into its policy: Sixgate's request limit of agents."""
Rate = Literal["unlimited"] | Annotated[Count, Field(strict=True)]
PerMinute = Annotated[
    Rate | None,
    Field(description="Extension of Sixgate. Intents per minute; null means no limit."),
]
MaxFee = Annotated[
    str,
    Field(
        description="Extension of Sixgate. Maximum cost of a transaction's gas and blobs, or "
        "``unlimited``."
    ),
]
Delegates = Annotated[
    list[str],
    Field(
        description="Extension of Sixgate. Contracts to which an EIP-7702 authorization may "
        "delegate; an empty list means none."
    ),
]
TtlSeconds = Annotated[int, Field(ge=TTL_S_MIN, le=TTL_S_MAX)]


def _of_contract(given: Any) -> Any:
    """Return the domain of a contract that a client lists by its address alone."""
    return {"verifying_contract": given} if isinstance(given, str) else given


class Domain(Request):
    """A domain whose typed data may be signed; an absent member matches any value.

    A list may have the address of the contract instead.
    """

    verifying_contract: str
    chain_id: int | None = None
    name: str | None = None
    version: str | None = None
    primary_types: list[str] | None = None


ListedDomain = Annotated[Domain, BeforeValidator(_of_contract, json_schema_input_type=Domain | str)]


def _amount(name: str) -> Any:
    """Return the field of an amount, whose name may end in ``_eth``."""
    return Field(default=None, validation_alias=AliasChoices(f"{name}_eth", name))


class Guardrails(Request):
    """The limits of an agent. An empty list means any, null means no limit.

    Amounts are decimal strings of ETH; their names may lack ``_eth``. An organisation that requires
    explicit policies needs ``"unlimited"`` and ``["any"]`` instead. The defaults of a new agent are
    written into its policy, so a later version with other defaults does not change it.
    """

    tx_to_allowlist: list[str] = Field(default=[], max_length=4096)
    tx_max_value_eth: str | None = _amount("tx_max_value")
    tx_daily_limit_eth: str | None = _amount("tx_daily_limit")
    tx_allowed_chains: list[str] = Field(default=[], max_length=256)
    tx_max_fee_eth: MaxFee = FEE_ETH_MAX_DEFAULT
    intents_per_minute: PerMinute = RATE_NEW
    message_signing_enabled: bool = False
    eip712_default_policy: Literal["deny", "allow"] = "deny"
    eip712_domain_allowlist: list[ListedDomain] = Field(default=[], max_length=256)
    delegate_allowlist: Delegates = Field(default=[], max_length=256)


class AgentRequest(Guardrails):
    """The members that creation and update share."""

    unsupported = UNSUPPORTED
    description: str = Field(default="", max_length=1024)
    intents_api_enabled: bool = False
    token_ttl_seconds: TtlSeconds | None = None
    vault_ids: list[str] = Field(default=[], max_length=64)
    expires_at: Time | None = None


class NewAgentRequest(AgentRequest):
    """A new agent. ``expires_at`` ends the agent, ``api_key_expires_at`` only its first key.

    Neither may be in the past.
    """

    name: str = Field(min_length=1, max_length=128)
    api_key_expires_at: Time | None = None


class AgentUpdate(AgentRequest):
    """A change of an agent; only the members that are present change.

    ``is_active`` false is a pause, and an ``expires_at`` in the past ends the agent now. If either
    is undone, earlier API keys and tokens work again.
    """

    name: str = Field(default="", min_length=1, max_length=128)
    is_active: bool = True
    clear_auto_suspended: bool = False


class AgentReply(Reply):
    """An agent. Times are RFC 3339; ``tx_spent_today_eth`` covers the rolling 24 hours.

    ``tx_max_value``, ``tx_daily_limit`` and ``tx_spent_today`` repeat the members with ``_eth``.
    """

    id: str
    name: str
    org_id: str
    description: str
    is_active: bool
    auth_method: Literal["api_key", "public_key"]
    created_at: str | None
    created_by: str | None
    intents_api_enabled: bool
    message_signing_enabled: bool
    eip712_default_policy: str
    eip712_domain_allowlist: list[dict[str, Any]]
    tx_allowed_chains: list[str]
    tx_to_allowlist: list[str]
    delegate_allowlist: Delegates
    tx_max_fee_eth: MaxFee
    intents_per_minute: PerMinute
    tx_max_value_eth: str | None
    tx_daily_limit_eth: str | None
    tx_spent_today_eth: str
    tx_max_value: str | None
    tx_daily_limit: str | None
    tx_spent_today: str
    vault_ids: list[str]
    scopes: list[str] = Field(default=[])
    signing_chains: list[str]
    evm_address: str | None
    token_ttl_seconds: int | None
    api_key_prefix: str | None
    api_key_expires_at: str | None
    expires_at: str | None
    shroud_enabled: bool = False


class ChangedAgentReply(AgentReply):
    """A changed agent. ``notice`` says what works again, if the agent did not work before."""

    notice: str | None = None


class NewAgentReply(AgentReply):
    """A new agent, flat and under ``agent``; ``api_key`` is shown once."""

    agent: AgentReply
    api_key: str


class AgentList(Reply):
    """Agents, newest first."""

    agents: list[AgentReply]
    next_cursor: str | None


class NewAgentKey(Reply):
    """A new API key of an agent; the former ones and their tokens have ended."""

    api_key: str
    api_key_prefix: str
    expires_at: str | None
