"""Chains, settings, people, tier and approvals."""

import base64
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from schemas.registry.records import ChainSet
from sixgate.api.app import create_app
from sixgate.api_error import ApiError
from sixgate.authoring.operator import record_envelope
from sixgate.clocks import wall_ms
from tests.harness.api import Api

NEW_CHAIN = {
    "name": "my-chain",
    "display_name": "My Chain",
    "chain_id": 12345,
    "rpc_url": "https://rpc.mychain.example",
    "explorer_url": "https://explorer.mychain.example",
    "native_currency": "MCH",
}
REQUIRE = "intents_api.require_simulation"


def test_thirty_chains_are_listed_with_every_member(api: Api) -> None:
    chains = api.client.get("/v1/chains", headers=api.person).json()["chains"]
    assert len(chains) >= 30
    base = next(chain for chain in chains if chain["chain_id"] == 8453)
    assert (base["name"], base["native_currency"], base["is_enabled"]) == ("base", "ETH", True)
    for identifier in ("base", "8453"):
        found = api.client.get(f"/v1/chains/{identifier}", headers=api.person).json()
        assert found == base
    assert api.client.get("/v1/chains/nowhere", headers=api.person).status_code == 404


def test_a_chain_is_added_changed_and_removed(api: Api) -> None:
    def send(method: str, path: str, **body: Any) -> Any:
        return api.client.request(method, f"/v1/admin/chains{path}", json=body, headers=api.person)

    made = send("POST", "", **NEW_CHAIN)
    assert made.status_code == 201
    assert {name: made.json()[name] for name in NEW_CHAIN} == NEW_CHAIN
    assert send("POST", "", **NEW_CHAIN).status_code == 409
    changed = send("PUT", "/12345", rpc_url="https://rpc.example/short-token").json()
    assert (changed["rpc_url"], changed["display_name"]) == (None, "My Chain")
    assert send("DELETE", "/my-chain").status_code == 204
    assert send("DELETE", "/my-chain").status_code == 404


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "My Chain"),
        ("chain_id", 0),
        ("native_currency", "TOO LONG TOKEN"),
        ("rpc_url", "file:///etc/passwd"),
        ("rpc_url", "https://"),
        ("gas", 1),
    ],
)
def test_a_wrong_chain_is_refused_by_the_name_of_the_member(
    api: Api, name: str, value: object
) -> None:
    body = NEW_CHAIN | {"chain_id": 777, "name": "other"} | {name: value}
    reply = api.client.post("/v1/admin/chains", json=body, headers=api.person)
    assert reply.status_code == 400
    assert list(reply.json()["fields"]) == [name]


def test_an_rpc_url_of_a_full_admin_stays(api: Api) -> None:
    credential = "https://user:secret@rpc.example"
    register_as_before(api, chain_set(777, "kept").model_copy(update={"rpc_url": credential}))
    url = "/v1/admin/chains/777"
    changed = api.client.put(url, json={"native_currency": "KPT"}, headers=api.person)
    assert (changed.status_code, changed.json()["rpc_url"]) == (200, None)
    refused = api.client.put(url, json={"rpc_url": f"{credential}/2"}, headers=api.person)
    assert refused.status_code == 400
    assert "sixgate chains add" in refused.json()["fields"]["rpc_url"]
    assert "secret" not in refused.text
    assert api.client.delete(url, headers=api.person).status_code == 204


def test_private_addresses_of_nodes_need_the_setting(api: Api) -> None:
    body = NEW_CHAIN | {"chain_id": 778, "name": "inside", "rpc_url": "http://10.0.0.5:8545"}
    reply = api.client.post("/v1/admin/chains", json=body, headers=api.person)
    assert reply.status_code == 400
    assert "[chains] private_urls" in reply.json()["fields"]["rpc_url"]
    with TestClient(create_app(replace(api.services, private_urls=True))) as client:
        made = client.post("/v1/admin/chains", json=body, headers=api.person)
        assert (made.status_code, made.json()["rpc_url"]) == (201, body["rpc_url"])
        assert client.delete("/v1/admin/chains/778", headers=api.person).status_code == 204


@pytest.mark.parametrize("name", ["8453", "424243", "1", "08453"])
def test_no_chain_gets_digits_as_its_name(api: Api, name: str) -> None:
    made = NEW_CHAIN | {"chain_id": 424243, "name": name}
    sent = [
        ("POST", "/v1/admin/chains", made),
        ("PUT", "/v1/admin/chains/ethereum", {"name": name}),
    ]
    for method, url, body in sent:
        reply = api.client.request(method, url, json=body, headers=api.person)
        assert reply.status_code == 400
        assert "digits" in reply.json()["fields"]["name"]
    desk = api.services.desk
    with pytest.raises(ApiError, match="cannot be named") as caught:
        desk.register([chain_set(424243, "fine", name)])
    assert caught.value.code == "registry_refused"


@pytest.mark.parametrize("name", ["base", "base-mainnet", "Base", "BASE"])
def test_no_chain_gets_the_name_of_another_one_in_any_case(api: Api, name: str) -> None:
    made = NEW_CHAIN | {"chain_id": 424243, "name": name}
    for method, url, body in [
        ("POST", "/v1/admin/chains", made),
        ("PUT", "/v1/admin/chains/ethereum", {"name": name}),
    ]:
        reply = api.client.request(method, url, json=body, headers=api.person)
        assert reply.status_code in (400, 409), reply.text


def test_an_old_chain_named_with_digits_loads_and_hides_no_id(api: Api) -> None:
    register_as_before(api, old := chain_set(424243, "8453"))
    for identifier, chain_id in (("8453", 8453), ("base", 8453), ("424243", 424243)):
        found = api.client.get(f"/v1/chains/{identifier}", headers=api.person).json()
        assert found["chain_id"] == chain_id
    # It may change while it keeps its name, and may get another one.
    url = "/v1/admin/chains/424243"
    for change in ({"native_currency": "OLD"}, {"name": "renamed"}):
        assert api.client.put(url, json=change, headers=api.person).status_code == 200
    assert api.client.put(url, json={"name": old.name}, headers=api.person).status_code == 400
    assert api.client.delete(url, headers=api.person).status_code == 204


def chain_set(chain_id: int, name: str, *aliases: str) -> ChainSet:
    return ChainSet(
        chain_id=chain_id, name=name, aliases=aliases, symbol="ETH", explorer="", testnet=True
    )


def register_as_before(api: Api, entry: ChainSet) -> None:
    """Register a chain as an earlier version did, without a check of its names."""
    known = api.node.registry()
    chained = (known["sequence"], known["head"])
    signed, _ = record_envelope(api.folder.admin(), known["org"], chained, entry, wall_ms())
    api.node.register(base64.b64encode(signed).decode())


def test_simulation_is_required_by_either_route(api: Api) -> None:
    def read() -> str:
        reply = api.client.get(f"/v1/admin/settings/{REQUIRE}", headers=api.person)
        return str(reply.json()["value"])

    put = api.client.put(
        f"/v1/admin/settings/{REQUIRE}", json={"value": "true"}, headers=api.person
    )
    assert put.json() == {"key": REQUIRE, "value": "true"}
    assert read() == "true"
    body = {"key": REQUIRE, "value": "false"}
    assert api.client.patch("/v1/org/settings", json=body, headers=api.person).status_code == 200
    path = f"/v1/org/settings/{REQUIRE}"
    named = api.client.put(path, json={"value": "false"}, headers=api.person)
    assert (named.status_code, named.json()) == (200, {"key": REQUIRE, "value": "false"})
    assert read() == "false"


def test_people_change_no_other_setting(api: Api) -> None:
    other = "/v1/admin/settings/policies.require_explicit"
    reply = api.client.put(other, json={"value": "true"}, headers=api.person)
    assert (reply.status_code, reply.json()["code"]) == (403, "beyond_scope")
    path = f"/v1/admin/settings/{REQUIRE}"
    assert api.client.put(path, json={"value": "yes"}, headers=api.person).status_code == 400
    unknown = "/v1/admin/settings/nothing"
    assert api.client.get(unknown, headers=api.person).status_code == 404


def test_people_and_tier_are_shown(api: Api) -> None:
    (alice,) = api.client.get("/v1/org/members", headers=api.person).json()["members"]
    assert (alice["display_name"], alice["is_active"]) == ("alice", True)
    assert alice["joined_at"] == alice["created_at"]
    tier = api.client.get("/v1/billing/subscription", headers=api.person).json()
    assert tier["tier"] is None


def test_there_are_no_approvals_yet(api: Api) -> None:
    assert api.client.get("/v1/approvals", headers=api.person).json() == {"approvals": []}
    path = "/v1/approvals/1/decide"
    assert api.client.post(path, json={}, headers=api.person).status_code == 404
