"""Requests and replies of the authentication routes."""

from typing import Literal

from pydantic import Field, SecretStr

from sixgate.api.models.base import LenientRequest, Reply, Request, Time


class AgentTokenRequest(LenientRequest):
    """An agent's API key; ``agent_id`` is optional and must match the key."""

    api_key: SecretStr = Field(max_length=256)
    agent_id: str | None = Field(default=None, max_length=64)


class PersonTokenRequest(LenientRequest):
    """A person's API key (``1ck_…``)."""

    api_key: SecretStr = Field(max_length=256)


class OidcTokenRequest(Request):
    """An ID token of the organisation's issuer; ``nonce`` is that of the authentication request."""

    id_token: SecretStr = Field(max_length=16_384)
    nonce: str | None = Field(default=None, min_length=1, max_length=256)


class TokenReply(Reply):
    """An access token. ``expires_in`` is in seconds."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the type's name
    expires_in: int


class AgentTokenReply(TokenReply):
    """An agent's access token, with what clients need to build paths.

    ``vault_ids`` are those of the agent, or else the vault of its grants if there is only one.
    """

    agent_id: str
    vault_ids: list[str]
    entitlements: dict[str, bool]


class Profile(Reply):
    """The calling person."""

    id: str
    email: str | None
    display_name: str
    org_id: str
    role: str
    billing_tier: str | None
    wallet_address: None = None


class ApiKeyRequest(LenientRequest):
    """A new API key of the calling person; ``scopes`` must be empty, because none is enforced."""

    name: str = Field(max_length=128)
    scopes: list[str] = Field(default=[], max_length=0)
    expires_at: Time | None = None


class ApiKeyEntry(Reply):
    """An API key without its secret; ``key_prefix`` repeats ``prefix``."""

    id: str
    name: str
    prefix: str
    key_prefix: str
    scopes: list[str]
    created_at: str
    expires_at: str | None
    last_used_at: str | None


class NewApiKey(Reply):
    """A new API key; ``api_key`` is shown once."""

    key: ApiKeyEntry
    api_key: str


class ApiKeyList(Reply):
    """The caller's API keys, newest first."""

    keys: list[ApiKeyEntry]
    next_cursor: str | None
