"""Requests and replies of the agent routes.

A guardrail that is not enforced is no member of a request, so sending it is a 400 that names it.
The defaults that the documented client always sends are members with one allowed value.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from sixgate.api.models.base import Reply, Request, Time
from sixgate.gateway.tokens import TTL_S_MAX, TTL_S_MIN

Nothing = Annotated[list[str], Field(max_length=0)]
TtlSeconds = Annotated[int, Field(ge=TTL_S_MIN, le=TTL_S_MAX)]


class Domain(Request):
    """A domain whose typed data may be signed; an absent member matches any value."""

    verifying_contract: str
    chain_id: int | None = None
    name: str | None = None
    version: str | None = None
    primary_types: list[str] | None = None


class Guardrails(Request):
    """The limits of an agent. An empty list means any, null means no limit.

    Amounts are decimal strings of ETH. An organisation that requires explicit policies needs
    ``"unlimited"`` and ``["any"]`` instead.
    """

    tx_to_allowlist: list[str] = Field(default=[], max_length=4096)
    tx_max_value_eth: str | None = None
    tx_daily_limit_eth: str | None = None
    tx_allowed_chains: list[str] = Field(default=[], max_length=256)
    message_signing_enabled: bool = False
    eip712_default_policy: Literal["deny", "allow"] = "deny"
    eip712_domain_allowlist: list[Domain] = Field(default=[], max_length=256)


class AgentRequest(Guardrails):
    """The members that creation and update share."""

    description: str = Field(default="", max_length=1024)
    intents_api_enabled: bool = False
    token_ttl_seconds: TtlSeconds | None = None
    vault_ids: list[str] = Field(default=[], max_length=64)
    expires_at: Time | None = None
    auth_method: Literal["api_key"] = "api_key"
    shroud_enabled: Literal[False] = False
    federation_enabled: Literal[False] = False
    federation_audiences: Nothing = Field(default=[])
    scopes: Nothing = Field(default=[])


class NewAgentRequest(AgentRequest):
    """A new agent. ``expires_at`` ends the agent, ``api_key_expires_at`` only its first key."""

    name: str = Field(min_length=1, max_length=128)
    api_key_expires_at: Time | None = None


class AgentUpdate(AgentRequest):
    """A change of an agent; only the members that are present change."""

    name: str = Field(default="", min_length=1, max_length=128)
    is_active: bool = True
    clear_auto_suspended: bool = False


class AgentReply(Reply):
    """An agent. Times are RFC 3339; ``tx_spent_today_eth`` covers the rolling 24 hours."""

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
    tx_max_value_eth: str | None
    tx_daily_limit_eth: str | None
    tx_spent_today_eth: str
    vault_ids: list[str]
    scopes: list[str] = Field(default=[])
    signing_chains: list[str]
    evm_address: str | None
    token_ttl_seconds: int | None
    api_key_prefix: str | None
    api_key_expires_at: str | None
    expires_at: str | None
    shroud_enabled: bool = False


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
