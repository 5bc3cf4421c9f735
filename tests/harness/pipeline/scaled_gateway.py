"""An organisation on Kafka with gateway and desk, one person, and HTTP clients for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from schemas.registry.records import Entry, SettingSet
from signer.custody.event_signing import Ed25519Signer
from tests.harness.broker.ledger_servers import password
from tests.harness.cli.forked import ForkedCommandLine
from tests.harness.pipeline.scaled import Scaled, organisation
from tools.local.certificates import Authority
from tools.local.ports import HOST, free_port

ANSWER_S_MAX = 60
TO = "0xABaBaBaBABabABabAbAbABAbABabababaBaBABaB"
FEES: dict[str, Any] = {
    "gas_limit": 100_000,
    "max_fee_per_gas": "1000000000",
    "max_priority_fee_per_gas": "1",
}
TRANSFER: dict[str, Any] = {"chain": "base", "to": TO, "value": "0.001"} | FEES


@dataclass(frozen=True)
class ScaledGateway:
    """The organisation; ``url`` is that of its HTTP API. Desk and gateway use mutual TLS."""

    scaled: Scaled
    url: str
    person_key: str
    desk_url: str
    authority: Authority

    def request(self, method: str, path: str, token: str | None = None, **more: Any) -> Any:
        """Send one request on a connection of its own."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= more.pop("headers", {})
        with httpx.Client(base_url=self.url, timeout=ANSWER_S_MAX, trust_env=False) as client:
            return client.request(method, path, headers=headers, **more)

    def token(self, api_key: str) -> str:
        kind = "agent-token" if api_key.startswith("ocv_") else "api-key-token"
        reply = self.request("POST", f"/v1/auth/{kind}", json={"api_key": api_key})
        assert reply.status_code == 200, reply.text
        return str(reply.json()["access_token"])

    def person(self) -> str:
        return self.token(self.person_key)

    def new_agent(self, **members: Any) -> tuple[str, str]:
        """Create an agent with a key for Ethereum chains; return its id and a token."""
        person = self.person()
        body = {"name": "bot", "intents_api_enabled": True} | members
        reply = self.request("POST", "/v1/agents", person, json=body)
        assert reply.status_code == 201, reply.text
        agent = reply.json()["id"]
        made = self.request(
            "POST", f"/v1/agents/{agent}/signing-keys", person, json={"chain": "ethereum"}
        )
        assert made.status_code == 201, made.text
        return agent, self.token(reply.json()["api_key"])

    def submit(self, agent: str, token: str, key: str | None = None, **changes: Any) -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        path = f"/v1/agents/{agent}/transactions"
        return self.request("POST", path, token, json=TRANSFER | changes, headers=headers)

    def command(self, *words: str) -> Any:
        """Run a command with the organisation's settings to its end."""
        more = {
            "SIXGATE_CLICKHOUSE__PASSWORD": password("ledger_reader"),
            "SIXGATE_CONFIG": str(operators_settings(self.scaled)),
        }
        return ForkedCommandLine(None).run(*words, more=more)


@contextmanager
def scaled_gateway(path: Path, agents: list[Ed25519Signer]) -> Iterator[ScaledGateway]:
    """Start every process of a new organisation, with one person."""
    with organisation(path, agents) as scaled:
        port, desk, custody = free_port(), free_port(), free_port()
        authority = Authority(path / "certificates")
        link = f'url = "https://127.0.0.1:{desk}"\n{tls_files(authority, "gateway")}'
        scaled.more = {
            "gateway": f"[api]\nport = {port}\n"
            f'[webhooks]\nallowed_networks = ["{HOST}/32"]\n'
            f'[custody_at]\nurl = "http://{HOST}:{custody}"\n[desk_at]\n{link}',
            "custody": f"[custody]\nport = {custody}\n",
            "desk": f"[desk]\nport = {desk}\n{tls_files(authority, 'desk')}",
        }
        # The documented API lets an absent limit mean no limit.
        entries: list[Entry] = [SettingSet(name="policies.require_explicit", value=False)]
        for entry in entries:
            scaled.register(entry)
        scaled.start_all()
        url = f"http://127.0.0.1:{port}"
        found = ScaledGateway(scaled, url, "", f"https://127.0.0.1:{desk}", authority)
        added = found.command("people", "add", "alice", "--json")
        assert added.code == 0, added.err
        for name in ("custody", "desk", "gateway"):
            scaled.start(name)
            scaled.await_ready(name)
        yield replace(found, person_key=added.json["api_key"])


def tls_files(authority: Authority, name: str) -> str:
    own = authority.issue(name)
    return f'tls.ca = "{authority.file}"\ntls.certificate = "{own}"\ntls.key = "{own}"\n'


def operators_settings(scaled: Scaled) -> Path:
    """Write the settings of commands, and return their file."""
    file = scaled.folder.path / "operators.toml"
    server = scaled.server
    assert server is not None
    file.write_text(
        f'data = "{scaled.folder.path}"\n'
        f'[kafka]\nservers = "{scaled.servers}"\nprefix = "{scaled.prefix}"\n'
        "copies = 1\nin_sync = 1\ninsecure_dev = true\n"
        f'[clickhouse]\nport = {server.port}\nuser = "ledger_reader"\n'
        f'database = "{scaled.database}"\n'
    )
    return file
