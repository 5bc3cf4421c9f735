"""What the golden folder's person and her agent do over the HTTP API."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from sixgate.api.app import create_app
from sixgate.data_folder.folder import Folder
from sixgate.services.embedded.http_api import EmbeddedApiSettings, node_services
from sixgate.services.embedded.node import Node
from tests.harness.cli.command_line import InProcess
from tests.harness.signing_agents import TRANSFER

LIMITS = {
    "tx_to_allowlist": ["any"],
    "tx_allowed_chains": ["base"],
    "tx_max_value_eth": "1",
    "tx_daily_limit_eth": "100",
}
SECRET = "a value stored over HTTP"  # noqa: S105 - a test's value


@contextmanager
def serving_requests(node: Node, data: Path) -> Iterator[TestClient]:
    """Lend an HTTP client of the API of an open folder."""
    with (
        node_services(Folder(data), node, EmbeddedApiSettings()) as services,
        TestClient(create_app(services), raise_server_exceptions=False) as client,
    ):
        yield client


def caller(client: TestClient, api_key: str) -> dict[str, str]:
    """Return the headers that authenticate the owner of an API key."""
    kind = "agent-token" if api_key.startswith("ocv_") else "api-key-token"
    token = answer(client.post(f"/v1/auth/{kind}", json={"api_key": api_key}))["access_token"]
    return {"Authorization": f"Bearer {token}"}


def answer(reply: Any) -> Any:
    """Return the body of a request that succeeded."""
    assert reply.is_success, reply.text
    return reply.json() if reply.content else None


def use_api(node: Node, cli: InProcess, clients: Path) -> None:
    """Add a person; let her make an agent, a key, a vault, grants; let the agent sign."""
    # An agent that is created over HTTP has no limit of intents per minute.
    cli.ok("settings", "set", "policies.require_explicit", "false")
    alice = cli.ok("people", "add", "alice", "--account", "treasury", "--json").json["api_key"]
    cli.ok("people", "add", "bob")
    cli.ok("people", "deactivate", "bob")
    with serving_requests(node, cli.data) as client:
        person = caller(client, alice)
        body = {"name": "bot", "intents_api_enabled": True} | LIMITS
        agent = answer(client.post("/v1/agents", json=body, headers=person))
        base = f"/v1/agents/{agent['id']}"
        answer(client.post(f"{base}/signing-keys", json={"chain": "ethereum"}, headers=person))
        bot = caller(client, agent["api_key"]) | {"Idempotency-Key": "by-http"}
        paid = answer(client.post(f"{base}/transactions", json=TRANSFER, headers=bot))
        vault = answer(client.post("/v1/vaults", json={"name": "web"}, headers=person))["id"]
        secrets = f"/v1/vaults/{vault}"
        for path in ("kept", "kept", "removed"):
            stored = {"value": SECRET}
            answer(client.put(f"{secrets}/secrets/web/{path}", json=stored, headers=person))
        answer(client.post(f"{secrets}/secret-version-disable/web/kept/1", headers=person))
        answer(client.delete(f"{secrets}/secrets/web/removed", headers=person))
        grant = {"principal_type": "agent", "principal_id": agent["id"], "permissions": ["read"]}
        grant |= {"secret_path_pattern": "web/*"}
        answer(client.post(f"{secrets}/policies", json=grant, headers=person))
    known = {"alice": alice, "bot": agent["api_key"], "agent": agent["id"], "vault": vault}
    (clients / "api.json").write_text(json.dumps(known | {"transaction": paid["id"]}))
