"""Hostile JSON in every member of every request is no defect and breaks no later list."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from sixgate.api.app import create_app
from tests.harness.api_server import data_of, served_api

DOCUMENT: dict[str, Any] = create_app(None).openapi()  # type: ignore[arg-type]
ADDRESS = "0x" + "ab" * 20
LONG = '"' + "a" * 300_000 + '"'
LATER = "2030-01-01T00:00:00Z"
DOMAIN = {"verifying_contract": ADDRESS, "name": "n", "version": "1", "primary_types": ["Note"]}
AGENT = {
    "name": "x", "description": "d", "tx_to_allowlist": [ADDRESS], "tx_max_value_eth": "1",
    "tx_allowed_chains": ["base"], "token_ttl_seconds": 300, "vault_ids": ["v"],
    "expires_at": LATER, "eip712_domain_allowlist": [DOMAIN],
}  # fmt: skip
CHAIN = {
    "display_name": "N", "rpc_url": "https://x.example", "explorer_url": "https://e.example",
    "native_currency": "X",
}  # fmt: skip
# Such an event is never sent, so nothing connects to the address.
HOOK: dict[str, Any] = {
    "url": "https://8.8.8.8/",
    "events": ["agent.transaction.broadcast"],
    "secret": "whsec_" + "A" * 32,
}
TRANSFER = {"chain": "base", "to": ADDRESS, "value": "0", "gas_limit": 21000, "gas_price": "1"}
BODIES: dict[str, Any] = {
    "/v1/auth/agent-token": {"api_key": "ocv_x", "agent_id": "x"},
    "/v1/auth/api-key-token": {"api_key": "1ck_x"},
    "/v1/auth/oidc": {"id_token": "a.b.c", "nonce": "n"},
    "/v1/auth/api-keys": {"name": "k", "scopes": ["a"], "expires_at": LATER},
    "/v1/agents": AGENT | {"api_key_expires_at": LATER},
    "/v1/agents/{agent_id}": {"name": "x", "description": "d", "expires_at": LATER},
    "/v1/agents/{agent_id}/signing-keys": {"chain": "dogecoin"},
    "/v1/agents/{agent_id}/transactions": TRANSFER | {"data": "0x", "nonce": 5, "memo": "x"},
    "/v1/agents/{agent_id}/transactions/sign": TRANSFER | {"signing_key_path": "keys/x"},
    "/v1/agents/{agent_id}/transactions/simulate": TRANSFER,
    "/v1/agents/{agent_id}/transactions/simulate-bundle": {"transactions": [TRANSFER]},
    "/v1/agents/{agent_id}/sign": {"intent_type": "x", "chain": "base", "message": "x"},
    "/v1/treasury/wallets/generate": {"chains": ["ethereum"]},
    "/v1/admin/chains": CHAIN | {"name": "n", "chain_id": 77},
    "/v1/admin/chains/{identifier}": CHAIN,
    "/v1/admin/settings/{key}": {"value": "false"},
    "/v1/org/settings": {"key": "intents_api.require_simulation", "value": "false"},
    "/v1/vaults": {"name": "v", "description": "d", "mpc_custody": "x"},
    "/v1/vaults/{vault_id}/mpc": {"custody_mode": "x", "providers": ["gcp"]},
    "/v1/vaults/{vault_id}/cmek": {"fingerprint": "x"},
    "/v1/vaults/{vault_id}/cmek-rotate": {"new_fingerprint": "ab" * 32},
    "/v1/vaults/{vault_id}/secrets/{path}": {
        "value": "x", "type": "generic", "metadata": {"a": "b"}, "expires_at": LATER,
    },
    "/v1/vaults/{vault_id}/secret-rotate/{path}": {"length": 32, "charset": "hex"},
    "/v1/vaults/{vault_id}/policies": {
        "principal_type": "agent", "principal_id": "x", "secret_path_pattern": "production/*",
        "permissions": ["read"], "conditions": {},
    },
    "/v1/vaults/{vault_id}/policies/{policy_id}": {"permissions": ["read"]},
    "/v1/webhooks": HOOK,
    "/v1/webhooks/{webhook_id}": HOOK | {"is_active": False},
    "/v1/webhooks/{webhook_id}/replay": {"after": 0},
}  # fmt: skip
FRAGMENTS = (
    r'"\ud800"', r'"a\u0000b"', r'["\ud83d"]', r'{"\ud800": 1}', "9" * 5000, "NaN", "-1e999",
    "[" * 3000 + "]" * 3000, '{"a":' * 3000 + "1" + "}" * 3000, LONG, "[]",
    r'"x\r\nSet-Cookie: a=b"', '"9999-12-31T23:59:59.999999Z"', '"0001-01-01T00:00:00+14:00"',
    '"9999-12-31T23:59:59-23:59"', '"\u0661"', "[null]", "null", '""', "{}",
)  # fmt: skip
LISTS = ("agents", "auth/api-keys", "vaults", "webhooks", "chains", "audit/events", "org/settings")
CUT = "cut here"
OPERATIONS = [
    (method.upper(), path)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
    if "requestBody" in operation
]


@dataclass(frozen=True, slots=True)
class Scene:
    """Clients of a person and of an agent, and the ids in paths."""

    person: httpx.Client
    agent: httpx.Client
    known: dict[str, str]

    def of(self, path: str) -> httpx.Client:
        """Return the client of a caller who may use a route."""
        by_agent = "/transactions" in path or path.endswith("/sign")
        return self.agent if by_agent else self.person


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with served_api(tmp_path_factory.mktemp("json") / "data") as served:
        person = served.person
        made = data_of(person.agents.create("bot", intents_api_enabled=True), 201)
        known = {
            "agent_id": made["id"],
            "vault_id": data_of(person.vaults.create("v"), 201)["id"],
            "webhook_id": data_of(person.webhooks.create(HOOK["url"], HOOK["events"]), 201)["id"],
            "policy_id": "absent",
            "identifier": "base",
            "key": "intents_api.require_simulation",
            "path": "production/key",
        }
        yield Scene(served.raw(served.api.person_key), served.raw(made["api_key"]), known)


def places(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of a JSON value and of every value inside it."""
    yield before
    inside = value.items() if isinstance(value, dict) else ()
    for name, part in enumerate(value) if isinstance(value, list) else inside:
        yield from places(part, (*before, name))


def with_fragment(body: Any, place: tuple[Any, ...], fragment: str) -> bytes:
    """Return a body as JSON in which a fragment stands at one place."""
    if not place:
        return fragment.encode()
    copied = json.loads(json.dumps(body))
    inside = copied
    for name in place[:-1]:
        inside = inside[name]
    inside[place[-1]] = CUT
    return json.dumps(copied).replace(json.dumps(CUT), fragment).encode()


def test_every_request_with_a_body_is_attacked() -> None:
    assert {path for _, path in OPERATIONS} == BODIES.keys()


@pytest.mark.usefixtures("usual_recursion_limit")
@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=map(" ".join, OPERATIONS))
def test_hostile_json_is_no_defect_and_breaks_no_list(scene: Scene, method: str, path: str) -> None:
    described = DOCUMENT["paths"][path][method.lower()]["responses"]
    client, url = scene.of(path), path.format_map(scene.known)
    headers = {"Content-Type": "application/json"}
    for place in places(BODIES[path]):
        for fragment in FRAGMENTS:
            content = with_fragment(BODIES[path], place, fragment)
            reply = client.request(method, url, content=content, headers=headers)
            found = (place, fragment[:40], reply.text[:300])
            assert reply.status_code < 500 or reply.status_code == 501, found
            assert str(reply.status_code) in described, found
    for name in LISTS:
        listed = scene.person.get(f"/v1/{name}")
        assert listed.status_code == 200, (name, listed.text)
