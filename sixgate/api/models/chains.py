"""Requests and replies of the routes of chains, settings and the organisation."""

from typing import Literal

from pydantic import Field

from sixgate.api.models.base import Reply, Request


class ChainReply(Reply):
    """A chain. ``rpc_url`` is null if there is none, or if it contains credentials."""

    id: str
    name: str
    display_name: str
    chain_id: int
    rpc_url: str | None
    explorer_url: str
    native_currency: str
    is_testnet: bool
    is_enabled: bool = True


class ChainList(Reply):
    """All registered chains, by chain id."""

    chains: list[ChainReply]


class ChainRequest(Request):
    """The members that creation and change share."""

    display_name: str | None = Field(default=None, max_length=128)
    rpc_url: str | None = Field(default=None, max_length=512)
    explorer_url: str = Field(default="", max_length=128)
    native_currency: str = "ETH"
    is_testnet: bool = False


class NewChainRequest(ChainRequest):
    """A new chain."""

    name: str
    chain_id: int


class ChainUpdate(ChainRequest):
    """A change of a chain; only the members that are present change."""

    name: str = ""


class SettingRequest(Request):
    """The value of a setting, as text."""

    value: str = Field(max_length=256)


class NamedSettingRequest(SettingRequest):
    """A setting with its key; ``approval_id`` is accepted and not needed."""

    key: str = Field(max_length=64)
    approval_id: str | None = Field(default=None, max_length=64)


class SettingReply(Reply):
    """A setting."""

    key: str
    value: str


class SettingList(Reply):
    """All settings, by key."""

    settings: dict[str, str]


class Member(Reply):
    """A person of the organisation; ``joined_at`` repeats ``created_at``."""

    id: str
    user_id: str
    email: str | None
    display_name: str
    role: str
    is_active: bool
    created_at: str
    joined_at: str


class MemberList(Reply):
    """The organisation's people, newest first."""

    members: list[Member]


class Subscription(Reply):
    """The organisation's tier, which decides the custody mode of the treasury."""

    tier: str | None
    status: Literal["active"] = "active"
    period_end: None = None
    overage_method: None = None
    usage: dict[str, int] = Field(default={})


class ApprovalList(Reply):
    """Pending approvals; the list is empty, because policies cannot ask for one yet."""

    approvals: list[str]
