"""Agents and requests for tests of the HTTP API that need more than its client sends."""

import asyncio
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from schemas.registry.policy import Policy
from schemas.registry.records import AgentSet, PolicySet
from sixgate.clocks import wall_ms
from tests.harness.api import Api


def token_agent(api: Api, *, intents: bool = False) -> tuple[str, dict[str, str]]:
    """Register an agent of the gateway; return its id and the headers that authenticate it."""
    services = api.services
    name = services.new_id()
    set_intents(api, name, intents=intents)
    key = services.api_keys.issue("agent", name, now_ms=wall_ms())
    return name, api.as_(key.text)


def set_intents(api: Api, agent: str, *, intents: bool) -> None:
    """Register an agent, or change whether it may submit intents."""
    api.services.desk.register(
        [
            PolicySet(policy_id=agent, policy=Policy()),
            AgentSet(
                agent=agent,
                account=api.services.account,
                gateway=api.services.gateway_key.keyid,
                policy_id=agent,
                active=True,
                intents_api_enabled=intents,
            ),
        ]
    )


def raw_request(api: Api, method: str, raw_path: str, headers: dict[str, str]) -> int:
    """Send a path exactly as written, as a client on a socket can; return the status."""
    return served(api.client.app, method, raw_path, headers)


def served(app: Any, method: str, raw_path: str, headers: dict[str, str], body: bytes = b"") -> int:
    """Let an application serve one request in a loop of its own; return the status."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote_to_bytes(raw_path).decode(errors="replace"),
        "raw_path": raw_path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("192.0.2.1", 4000),
        "server": ("test", 80),
    }
    asyncio.run(app(scope, receive, send))
    return int(sent[0]["status"])


@dataclass(slots=True)
class Session:
    """One caller's requests; the token is fetched once."""

    api: Api
    headers: dict[str, str]

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send a request below ``/v1``; underscores in header names become hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"json": body} if body is not None else {}
        return self.api.client.request(method, f"/v1{path}", headers=self.headers | named, **sent)

    def vault(self, **members: Any) -> str:
        """Create a vault; return its id."""
        reply = self.send("POST", "/vaults", {"name": "v"} | members)
        assert reply.status_code == 201, reply.text
        return str(reply.json()["id"])

    def put(self, vault: str, path: str, value: str, **members: Any) -> Any:
        """Store a version of a secret."""
        return self.send("PUT", f"/vaults/{vault}/secrets/{path}", {"value": value} | members)

    def get(self, vault: str, path: str, share: str | None = None) -> Any:
        """Read the newest version of a secret."""
        headers = {} if share is None else {"X_Client_Share": share}
        return self.send("GET", f"/vaults/{vault}/secrets/{path}", **headers)

    def allow(self, vault: str, agent: str, pattern: str, *permissions: str) -> str:
        """Create an access policy; return its id."""
        body = {
            "principal_type": "agent",
            "principal_id": agent,
            "secret_path_pattern": pattern,
            "permissions": list(permissions) or ["read"],
        }
        reply = self.send("POST", f"/vaults/{vault}/policies", body)
        assert reply.status_code == 201, reply.text
        return str(reply.json()["id"])
