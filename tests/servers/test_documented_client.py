"""The documented client, unmodified but for its base URL: people, agents, keys, chains, audit."""

import csv
import io
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from oneclaw import OneclawClient, OneclawError

from schemas.registry.key_chains import KeyChain
from tests.harness.api_server import ServedApi, data_of, done, refusal_of, served_api

CHAINS = [chain.value for chain in KeyChain]
ADDRESS_BEGINS = {
    "ethereum": "0x", "bitcoin": "bc1q", "solana": "", "xrp": "r", "cardano": "addr1", "tron": "T",
}  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedApi]:
    with served_api(tmp_path_factory.mktemp("documented") / "data") as served:
        yield served


@pytest.fixture(scope="module")
def person(served: ServedApi) -> OneclawClient:
    return served.person


def new_agent(person: OneclawClient, **members: Any) -> tuple[str, str]:
    """Create an agent; return its id and its API key."""
    made = data_of(person.agents.create(f"bot {secrets.token_hex(4)}", **members), 201)
    return made["id"], made["api_key"]


def test_step_1_a_person_is_authenticated_by_the_api_key(
    served: ServedApi, person: OneclawClient
) -> None:
    profile = data_of(person.auth.me())
    assert (profile["id"], profile["role"]) == (served.api.person_id, "admin")
    assert (profile["org_id"], profile["display_name"]) == ("acme", "alice")


def test_step_1_a_wrong_api_key_of_a_person_leaves_the_client_without_a_token(
    served: ServedApi,
) -> None:
    stranger = served.client("1ck_" + "0" * 48)
    assert "Authentication failed" in refusal_of(stranger.agents.list(), 401)


def test_step_5_an_agent_is_created_and_knows_its_id_from_its_key_alone(
    served: ServedApi, person: OneclawClient
) -> None:
    made = data_of(person.agents.create("DeFi Bot", description="swaps"), 201)
    assert made["id"] == made["agent"]["id"]
    assert made["intents_api_enabled"] is False
    assert made["api_key"].startswith("ocv_")
    agent = served.client(made["api_key"])
    me = data_of(agent.agents.me())
    assert agent.resolved_agent_id == me["id"] == made["id"]
    assert me == made["agent"] == data_of(person.agents.get(made["id"]))
    refusal_of(person.agents.me(), 404)
    listed = data_of(person.agents.list())
    assert listed["agents"][0] == me
    assert listed["next_cursor"] is None


def test_step_5_a_guardrail_that_is_not_enforced_is_refused_by_name(
    person: OneclawClient,
) -> None:
    agent_id, _ = new_agent(person)
    for name in ("tx_max_value_usd", "per_chain_guardrails", "allow_erc4337", "no_such_member"):
        assert name in refusal_of(person.agents.update(agent_id, **{name: "1"}), 400)
    assert "shroud_enabled" in refusal_of(person.agents.create("x", shroud_enabled=True), 400)
    assert "federation_enabled" in refusal_of(
        person.agents.create("x", federation_enabled=True), 400
    )


def test_step_6_keys_for_six_chains_are_provisioned_listed_rotated_and_deactivated(
    served: ServedApi, person: OneclawClient
) -> None:
    agent_id, api_key = new_agent(person)
    agent = served.client(api_key)
    for chain in CHAINS:
        key = data_of(person.signing_keys.create(agent_id, chain), 201)
        assert key["address"].startswith(ADDRESS_BEGINS[chain])
        assert (key["key_version"], key["is_active"], key["custody"]) == (1, True, "server")
        secp256k1 = key["curve"] == "secp256k1"
        assert key["public_key"].startswith("0x04" if secp256k1 else "0x")
    listed = data_of(agent.signing_keys.list(agent_id))["signing_keys"]
    assert sorted(key["chain"] for key in listed) == sorted(CHAINS)
    assert "already has a key" in refusal_of(person.signing_keys.create(agent_id, "ethereum"), 409)

    before = next(key for key in listed if key["chain"] == "ethereum")
    rotated = data_of(person.signing_keys.rotate(agent_id, "ethereum"))
    assert rotated["key_version"] == 2
    assert rotated["address"] != before["address"]
    assert data_of(agent.agents.me())["evm_address"] == rotated["address"]
    done(person.signing_keys.deactivate(agent_id, "tron"))
    assert "tron" not in data_of(agent.agents.me())["signing_chains"]
    refusal_of(person.signing_keys.balance(agent_id, "ethereum"), 501)


def test_step_6_an_agent_may_neither_provision_nor_rotate_nor_export_keys(
    served: ServedApi, person: OneclawClient
) -> None:
    agent_id, api_key = new_agent(person)
    data_of(person.signing_keys.create(agent_id, "ethereum"), 201)
    agent = served.client(api_key)
    for response in (
        agent.signing_keys.create(agent_id, "solana"),
        agent.signing_keys.rotate(agent_id, "ethereum"),
        agent.signing_keys.deactivate(agent_id, "ethereum"),
    ):
        assert "Agents may not do this" in refusal_of(response, 403)
    for client in (agent, person):
        sentence = refusal_of(client.signing_keys.export(agent_id, "ethereum", "x"), 403)
        assert sentence == "A signing key never leaves Sixgate."


def test_step_6_treasury_wallets_need_a_tier(person: OneclawClient) -> None:
    assert "tier" in refusal_of(person.treasury_wallets.generate(["ethereum"]), 409)
    assert data_of(person.treasury_wallets.list())["wallets"] == []


def test_step_7_limits_are_set_with_the_client_and_cleared_over_raw_http(
    served: ServedApi, person: OneclawClient
) -> None:
    agent_id, _ = new_agent(person, tx_max_value_eth="1.0")
    limits = {"tx_daily_limit_eth": "5.0", "tx_allowed_chains": ["ethereum", "base"]}
    changed = data_of(person.agents.update(agent_id, **limits))
    assert (changed["tx_max_value_eth"], changed["tx_daily_limit_eth"]) == ("1", "5")
    assert changed["tx_allowed_chains"] == ["ethereum", "base"]
    raw = served.raw(served.api.person_key)
    cleared = raw.patch(f"/v1/agents/{agent_id}", json={"tx_max_value_eth": None})
    assert (cleared.status_code, cleared.json()["tx_max_value_eth"]) == (200, None)
    assert cleared.json()["tx_daily_limit_eth"] == "5"


def test_step_12_chains_are_listed_and_found_by_name_and_id(person: OneclawClient) -> None:
    chains = data_of(person.chains.list())["chains"]
    assert len(chains) >= 30
    assert {1, 8453, 11155111, 84532, 7777777} <= {chain["chain_id"] for chain in chains}
    named = {chain["name"]: chain for chain in chains}
    assert named["base"] == data_of(person.chains.get("base")) == data_of(person.chains.get("8453"))
    refusal_of(person.chains.get("atlantis"), 404)


def test_step_12_people_add_change_and_delete_a_chain_over_raw_http(
    served: ServedApi, person: OneclawClient
) -> None:
    raw = served.raw(served.api.person_key)
    body = {"name": "my-chain", "display_name": "My Chain", "chain_id": 12345,
            "rpc_url": "https://rpc.example/secret-token", "native_currency": "MCH",
            "explorer_url": "https://explorer.example"}  # fmt: skip
    assert raw.post("/v1/admin/chains", json=body).status_code == 201
    assert raw.post("/v1/admin/chains", json=body).status_code == 409
    changed = raw.put("/v1/admin/chains/my-chain", json={"display_name": "Ours"})
    assert changed.json()["display_name"] == "Ours"
    found = data_of(person.chains.get("12345"))
    # The path of the node's URL may be an API key.
    assert (found["native_currency"], found["rpc_url"]) == ("MCH", None)
    assert raw.delete("/v1/admin/chains/my-chain").status_code == 204
    refusal_of(person.chains.get("my-chain"), 404)


def test_step_10_the_setting_of_simulation_is_set_by_both_routes(
    served: ServedApi, person: OneclawClient
) -> None:
    key, raw = "intents_api.require_simulation", served.raw(served.api.person_key)
    assert data_of(person.org.update_setting(key, "true")) == {"key": key, "value": "true"}
    assert raw.get(f"/v1/admin/settings/{key}").json()["value"] == "true"
    assert raw.put(f"/v1/admin/settings/{key}", json={"value": "false"}).status_code == 200
    assert data_of(person.org.settings())["settings"][key] == "false"
    refusal_of(person.org.update_setting("policies.require_explicit", "false"), 403)


def test_step_13_the_audit_is_filtered_and_verified(
    served: ServedApi, person: OneclawClient
) -> None:
    agent_id, _ = new_agent(person)
    data_of(person.agents.update(agent_id, description="changed"))
    resource, actor = f"agent:{agent_id}", f"user:{served.api.person_id}"
    found = data_of(person.audit.list(resource_id=resource, actor_id=actor))
    assert [event["action"] for event in found["events"]] == ["agent.update", "agent.create"]
    assert found["total"] == 2
    newest = found["events"][0]
    assert (newest["actor_id"], newest["ip_address"]) == (actor, "127.0.0.1")
    assert newest["id"] == newest["event_id"]
    assert len(newest["integrity_hash"]) == 64
    created = data_of(person.audit.list(action="agent.create", resource_id=resource))
    assert created["events"] == found["events"][1:]
    assert data_of(person.audit.list(limit=1, offset=1))["events"] != found["events"][:1]
    assert data_of(person.audit.list(to_time="2020-01-01T00:00:00Z"))["events"] == []
    verified = data_of(person.audit.verify())
    assert (verified["valid"], verified["broken_at"]) == (True, None)
    assert verified["checked"] > 0


def test_step_13_the_audit_is_exported_in_both_forms_over_raw_http(
    served: ServedApi, person: OneclawClient
) -> None:
    new_agent(person)
    raw = served.raw(served.api.person_key)
    exported = raw.get("/v1/audit/export", params={"format": "json"}).json()["events"]
    total = data_of(person.audit.list())["total"]
    assert len(exported) == total
    rows = list(csv.reader(io.StringIO(raw.get("/v1/audit/export?format=csv").text)))
    assert len(rows) == total + 1
    assert "integrity_hash" in rows[0]


def test_step_14_a_webhook_is_created_listed_changed_and_deleted(
    person: OneclawClient,
) -> None:
    made = data_of(
        person.webhooks.create("https://8.8.8.8/hook", ["agent.transaction.broadcast"]), 201
    )
    assert made["secret"].startswith("whsec_")
    assert data_of(person.webhooks.list())["webhooks"][0]["id"] == made["id"]
    changed = data_of(person.webhooks.update(made["id"], is_active=False))
    assert changed["is_active"] is False
    assert "secret" not in changed
    done(person.webhooks.delete(made["id"]))
    refusal_of(person.webhooks.get(made["id"]), 404)
    for private in ("http://8.8.8.8/", "https://10.0.0.1/", "https://169.254.169.254/x"):
        assert "url" in refusal_of(person.webhooks.create(private, ["*"]), 400)


def test_step_14_no_policy_asks_for_approvals_yet(person: OneclawClient) -> None:
    assert data_of(person.approvals.list(status="pending"))["approvals"] == []
    for response in (
        person.approvals.get("absent"),
        person.approvals.decide("absent", "approved"),
        person.approvals.cancel("absent", reason="no longer needed"),
    ):
        assert "absent" in refusal_of(response, 404)


def test_step_15_rotating_an_agents_key_ends_its_former_key_and_tokens(
    served: ServedApi, person: OneclawClient
) -> None:
    agent_id, former = new_agent(person)
    agent = served.client(former)
    data_of(agent.agents.me())
    renewed = data_of(person.agents.rotate_key(agent_id))
    assert "deleted" in refusal_of(agent.agents.me(), 401)
    with pytest.raises(OneclawError) as refused:
        served.client(former).agents.me()
    assert refused.value.status == 401
    assert data_of(served.client(renewed["api_key"]).agents.me())["id"] == agent_id


def test_step_15_a_revoked_token_and_a_deleted_key_end(
    served: ServedApi, person: OneclawClient
) -> None:
    made = data_of(person.api_keys.create("laptop"), 201)
    assert made["key"]["id"] in [key["id"] for key in data_of(person.api_keys.list())["keys"]]
    other = served.client(made["api_key"])
    done(other.auth.revoke_token())
    assert "revoked" in refusal_of(other.auth.me(), 401)
    again = served.client(made["api_key"])
    assert data_of(again.auth.refresh())["expires_in"] >= 300
    done(person.api_keys.delete(made["key"]["id"]))
    assert "deleted" in refusal_of(again.auth.me(), 401)


def test_step_15_a_deleted_or_inactive_agent_is_out_at_once(
    served: ServedApi, person: OneclawClient
) -> None:
    agent_id, api_key = new_agent(person)
    agent = served.client(api_key)
    data_of(agent.agents.me())
    data_of(person.agents.update(agent_id, is_active=False))
    assert "deactivated" in refusal_of(agent.agents.me(), 401)
    data_of(person.agents.update(agent_id, is_active=True))
    data_of(agent.agents.me())
    done(person.agents.delete(agent_id))
    refusal_of(agent.agents.me(), 401)
    refusal_of(person.agents.get(agent_id), 404)


def test_many_clients_create_agents_at_the_same_time(
    served: ServedApi, person: OneclawClient
) -> None:
    clients = [served.person for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda client: data_of(client.agents.create("x"), 201), clients))
    assert len({one["id"] for one in made}) == 4
    assert {one["id"] for one in made} <= {a["id"] for a in data_of(person.agents.list())["agents"]}
