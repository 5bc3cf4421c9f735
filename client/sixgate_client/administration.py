"""Operations of people: agents, their keys, vaults, secrets, policies, audit."""

from typing import Any, Literal, Unpack, cast

from sixgate_client.errors import Json
from sixgate_client.operations import Page, page
from sixgate_client.session import Operation, Options, Session, secret_path, segment
from sixgate_client.types import (
    Agent,
    AgentFields,
    AuditFilters,
    CustodyMode,
    Secret,
    SigningKey,
)

_PERIOD = {"since": "from", "until": "to"}  # ``from`` is a keyword of Python


def create_agent(session: Session, **fields: Unpack[AgentFields]) -> Operation[Agent]:
    """Create an agent; its ``api_key`` is in this reply only."""
    found = yield from _send(session, "POST", "/v1/agents", fields)
    return cast(Agent, found)


def update_agent(
    session: Session, agent_id: str, **fields: Unpack[AgentFields]
) -> Operation[Agent]:
    """Change members of an agent; ``None`` clears a limit."""
    found = yield from _send(session, "PATCH", _agent(agent_id), fields)
    return cast(Agent, found)


def agent(session: Session, agent_id: str) -> Operation[Agent]:
    """Read an agent."""
    return cast(Agent, (yield from session.call("GET", _agent(agent_id))))


def agents_page(session: Session, cursor: str | None) -> Operation[Page]:
    """List the organisation's agents."""
    return (yield from page(session, "/v1/agents", "agents", cursor, {}))


def delete_agent(session: Session, agent_id: str) -> Operation[None]:
    """Deactivate an agent for good."""
    yield from session.call("DELETE", _agent(agent_id))


def rotate_agent_key(session: Session, agent_id: str) -> Operation[str]:
    """Replace an agent's API key and return the new one; the old one ends."""
    found = yield from session.call("POST", f"{_agent(agent_id)}/rotate-key")
    return str(found["api_key"])


def provision_signing_key(
    session: Session, chain: str, *, agent_id: str | None = None
) -> Operation[SigningKey]:
    """Make an agent's key of a chain; agents themselves are refused."""
    owner = yield from session.own_agent_id(agent_id)
    found = yield from _send(session, "POST", f"{_agent(owner)}/signing-keys", {"chain": chain})
    return cast(SigningKey, found)


def rotate_signing_key(session: Session, agent_id: str, chain: str) -> Operation[SigningKey]:
    """Make the next version of an agent's key of a chain."""
    found = yield from session.call("POST", f"{_key(agent_id, chain)}/rotate")
    return cast(SigningKey, found)


def deactivate_signing_key(session: Session, agent_id: str, chain: str) -> Operation[None]:
    """Stop an agent's key of a chain from signing."""
    yield from session.call("DELETE", _key(agent_id, chain))


def create_vault(
    session: Session,
    name: str,
    *,
    description: str = "",
    mpc_custody: CustodyMode | None = None,
) -> Operation[Json]:
    """Create a vault; its custody mode can be chosen while it is empty."""
    body = {"name": name, "description": description, "mpc_custody": mpc_custody}
    given = {member: value for member, value in body.items() if value is not None}
    return cast(Json, (yield from _send(session, "POST", "/v1/vaults", given)))


def vaults_page(session: Session, cursor: str | None) -> Operation[Page]:
    """List the vaults."""
    return (yield from page(session, "/v1/vaults", "vaults", cursor, {}))


def set_custody_mode(session: Session, vault_id: str, mode: CustodyMode) -> Operation[Json]:
    """Choose an empty vault's custody mode, once."""
    found = yield from _send(session, "POST", f"{_vault(vault_id)}/mpc", {"custody_mode": mode})
    return cast(Json, found)


def put_secret(
    session: Session,
    vault_id: str,
    path: str,
    value: str,
    *,
    type: str = "generic",  # noqa: A002 - the API's own word
) -> Operation[Secret]:
    """Store the next version of a secret; not retried, because a repetition is another version."""
    body = {"value": value, "type": type}
    found = yield from _send(session, "PUT", _secret(vault_id, path), body)
    return cast(Secret, found)


def secret(
    session: Session, vault_id: str, path: str, *, client_share: str | None = None
) -> Operation[Secret]:
    """Read a secret; ``client_share`` (base64) is required in modes with client custody."""
    headers = {} if client_share is None else {"x-client-share": client_share}
    found = yield from session.call("GET", _secret(vault_id, path), Options(headers=headers))
    return cast(Secret, found)


def secrets_page(
    session: Session, cursor: str | None, vault_id: str, *, prefix: str | None = None
) -> Operation[Page]:
    """List a vault's secrets without their values."""
    path = f"{_vault(vault_id)}/secrets"
    return (yield from page(session, path, "secrets", cursor, {"prefix": prefix}))


def delete_secret(session: Session, vault_id: str, path: str) -> Operation[None]:
    """Delete a secret."""
    yield from session.call("DELETE", _secret(vault_id, path))


def create_policy(
    session: Session,
    vault_id: str,
    *,
    principal_id: str,
    secret_path_pattern: str,
    principal_type: Literal["agent", "user"] = "agent",
    permissions: tuple[str, ...] = ("read",),
) -> Operation[Json]:
    """Let an agent or a person use the secrets and keys of a vault that match a pattern."""
    body = {
        "principal_type": principal_type,
        "principal_id": principal_id,
        "secret_path_pattern": secret_path_pattern,
        "permissions": list(permissions),
    }
    return cast(Json, (yield from _send(session, "POST", f"{_vault(vault_id)}/policies", body)))


def policies_page(session: Session, cursor: str | None, vault_id: str) -> Operation[Page]:
    """List a vault's policies."""
    return (yield from page(session, f"{_vault(vault_id)}/policies", "policies", cursor, {}))


def delete_policy(session: Session, vault_id: str, policy_id: str) -> Operation[None]:
    """Delete a policy."""
    yield from session.call("DELETE", f"{_vault(vault_id)}/policies/{segment(policy_id)}")


def audit_events_page(
    session: Session, cursor: str | None, **filters: Unpack[AuditFilters]
) -> Operation[Page]:
    """List audit events, newest first."""
    params: dict[str, object] = {_PERIOD.get(name, name): given for name, given in filters.items()}
    return (yield from page(session, "/v1/audit/events", "events", cursor, params))


def verify_audit(
    session: Session, *, since: str | None = None, until: str | None = None
) -> Operation[Json]:
    """Verify the hash chain of the audit events of a period."""
    options = Options(params={"from": since, "to": until})
    return cast(Json, (yield from session.call("GET", "/v1/audit/verify", options)))


def export_audit(
    session: Session,
    *,
    format: Literal["csv", "json"] = "json",  # noqa: A002 - the API's own word
    since: str | None = None,
    until: str | None = None,
) -> Operation[bytes]:
    """Return the audit events of a period, by default 90 days, as a file's bytes."""
    options = Options(params={"format": format, "from": since, "to": until})
    return (yield from session.exchange("GET", "/v1/audit/export", options)).content


def _send(session: Session, method: str, path: str, body: Any) -> Operation[Any]:
    return (yield from session.call(method, path, Options(body=dict(body))))


def _agent(agent_id: str) -> str:
    return f"/v1/agents/{segment(agent_id)}"


def _key(agent_id: str, chain: str) -> str:
    return f"{_agent(agent_id)}/signing-keys/{segment(chain)}"


def _vault(vault_id: str) -> str:
    return f"/v1/vaults/{segment(vault_id)}"


def _secret(vault_id: str, path: str) -> str:
    return f"{_vault(vault_id)}/secrets/{secret_path(path)}"
