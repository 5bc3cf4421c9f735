"""A running embedded node with its HTTP API, one person and an HTTP client for it."""

import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from schemas.registry.records import AccountOpened, Entry, SettingSet
from sixgate.api.app import create_app
from sixgate.api.services import Services
from sixgate.authoring.operator import register
from sixgate.clocks import wall_ms
from sixgate.config.chains import default_chains
from sixgate.config.limits import Limits, Rate
from sixgate.data_folder.creation import Founding, create
from sixgate.data_folder.folder import DESK, GATEWAY, Folder
from sixgate.data_folder.key_files import ensure_public_key
from sixgate.gateway.founding import api_entries, person_entries
from sixgate.gateway.people import Person
from sixgate.services.embedded.http_api import EmbeddedApiSettings, node_services
from sixgate.services.embedded.node import Node, running

ACCOUNT = "main"
_RATE = Rate(per_minute=10**8, burst=10**8)
UNHURRIED = Limits(agent_rate=_RATE, person_rate=_RATE)
"""The limits of a server, without the rates of agents and people: tests are faster than either."""


@dataclass(frozen=True, slots=True)
class Api:
    """A running API; ``client`` sends requests in process."""

    folder: Folder
    node: Node
    services: Services
    client: TestClient
    person_id: str
    person_key: str
    person_token: list[str] = field(default_factory=list)

    def token(self, api_key: str) -> str:
        kind = "agent-token" if api_key.startswith("ocv_") else "api-key-token"
        reply = self.client.post(f"/v1/auth/{kind}", json={"api_key": api_key})
        assert reply.status_code == 200, reply.text
        return str(reply.json()["access_token"])

    def as_(self, api_key: str) -> dict[str, str]:
        """Return the headers that authenticate the owner of an API key."""
        return {"Authorization": f"Bearer {self.token(api_key)}"}

    @property
    def person(self) -> dict[str, str]:
        """The headers that authenticate the person, always with the same token."""
        if not self.person_token:
            self.person_token.append(self.token(self.person_key))
        return {"Authorization": f"Bearer {self.person_token[0]}"}

    def new_agent(self, **members: Any) -> tuple[str, dict[str, str]]:
        """Create an agent; return its id and the headers that authenticate it."""
        body = {"name": "bot", "intents_api_enabled": True} | members
        reply = self.client.post("/v1/agents", json=body, headers=self.person)
        assert reply.status_code == 201, reply.text
        return reply.json()["id"], self.as_(reply.json()["api_key"])


def api_folder(path: Path) -> tuple[Folder, str]:
    """Create a compatibility organisation with the HTTP API and one person; return its id."""
    entries: list[Entry] = [
        AccountOpened(account=ACCOUNT),
        *default_chains(),
        SettingSet(name="policies.require_explicit", value=False),
    ]
    folder = create(path, Founding("acme", entries), wall_ms(), secrets.token_bytes)
    return folder, str(uuid.uuid4())


@contextmanager
def running_api(path: Path, genesis: bytes | None = None) -> Iterator[Api]:
    """Lend a running API over a new data folder; ``genesis`` is a chain to simulate on."""
    folder, person_id = api_folder(path)
    if genesis is not None:
        (folder.genesis / "chain.json").write_bytes(genesis)
    with folder.ownership_lock(), running(folder) as node:
        keys = {name: ensure_public_key(folder.key(name), name) for name in (GATEWAY, DESK)}
        entries = api_entries(ACCOUNT, (GATEWAY, keys[GATEWAY]), (DESK, keys[DESK]))
        entries += person_entries(person_id, ACCOUNT, GATEWAY)
        register(node, folder.admin(), entries, wall_ms())
        with node_services(folder, node, EmbeddedApiSettings()) as services:
            services.people.add(Person(person_id, "alice", None, "admin", wall_ms(), active=True))
            key = services.api_keys.issue("person", person_id, now_ms=wall_ms())
            with TestClient(create_app(services), raise_server_exceptions=False) as client:
                yield Api(folder, node, services, client, person_id, key.text)
