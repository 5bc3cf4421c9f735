"""Requests and replies of the routes of access policies."""

from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field

from schemas.registry.access import PathGlob, Right
from sixgate.api.models.base import Reply, Request, Time, must_be_empty

Conditions = Annotated[
    dict[str, Any] | None, must_be_empty("is not supported: a policy applies always")
]
Expiry = Annotated[
    Time | None, must_be_empty("is not supported: delete the policy when it should end")
]
UNSUPPORTED = MappingProxyType(
    dict.fromkeys(("approval_id", "attribute_conditions", "consensus_trigger", "tx_conditions"))
    | {"effect": "allow", "priority": 0}
)
Permissions = Annotated[list[Right], Field(min_length=1, max_length=3)]


class PolicyRequest(Request):
    """Permissions of an agent or person on the paths of a vault that match a pattern.

    In ``secret_path_pattern``, ``*`` matches any characters within one segment, and a segment
    ``**`` matches any number of segments. With ``read``, an agent that has the Intents API also
    signs with stored keys; ``sign`` permits only this. ``conditions`` and ``expires_at`` must be
    empty.
    """

    unsupported = UNSUPPORTED
    principal_type: Literal["agent", "user"]
    principal_id: str = Field(max_length=64)
    secret_path_pattern: PathGlob
    permissions: Permissions = Field(default=["read"])
    conditions: Conditions = None
    expires_at: Expiry = None


class PolicyUpdate(Request):
    """Changes of a policy; an absent member stays as it is."""

    unsupported = UNSUPPORTED
    permissions: Permissions | None = None
    conditions: Conditions = None
    expires_at: Expiry = None


class PolicyReply(Reply):
    """An access policy."""

    id: str
    vault_id: str
    principal_type: str
    principal_id: str
    secret_path_pattern: str
    permissions: list[str]
    conditions: dict[str, Any]
    expires_at: str | None
    created_at: str
    created_by: str


class PolicyList(Reply):
    """The access policies of a vault, newest first."""

    policies: list[PolicyReply]
    next_cursor: str | None
