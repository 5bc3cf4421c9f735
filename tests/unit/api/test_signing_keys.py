"""People provision keys of six chains for each agent; keys are never exported."""

from typing import Any

import pytest
from eth_utils.address import is_checksum_address

from tests.harness.api import Api

CHAINS = ["ethereum", "bitcoin", "solana", "xrp", "cardano", "tron"]


def post(api: Api, path: str, **body: Any) -> Any:
    return api.client.post(path, json=body, headers=api.person)


def test_every_agent_has_a_key_of_its_own_on_every_chain(api: Api) -> None:
    addresses = set()
    for agent_id in (api.new_agent()[0], api.new_agent()[0]):
        for chain in CHAINS:
            reply = post(api, f"/v1/agents/{agent_id}/signing-keys", chain=chain)
            assert reply.status_code == 201, reply.text
            addresses.add(reply.json()["address"])
        listed = api.client.get(f"/v1/agents/{agent_id}/signing-keys", headers=api.person).json()
        assert [key["chain"] for key in listed["signing_keys"]] == CHAINS
        assert listed["keys"] == listed["signing_keys"]
    assert len(addresses) == 2 * len(CHAINS)


def test_a_key_has_its_uncompressed_point_and_checksummed_address(api: Api) -> None:
    agent_id, headers = api.new_agent()
    key = post(api, f"/v1/agents/{agent_id}/signing-keys", chain="ethereum").json()
    assert key["public_key"].startswith("0x04")
    assert len(key["public_key"]) == 2 + 130
    assert key["public_key_hex"] == key["public_key"]
    assert key["id"] == f"agents/{agent_id}/chains/ethereum/private_key"
    assert is_checksum_address(key["address"])
    assert (key["curve"], key["key_version"], key["is_active"]) == ("secp256k1", 1, True)
    assert "client_share" not in key
    me = api.client.get("/v1/agents/me", headers=headers).json()
    assert (me["evm_address"], me["signing_chains"]) == (key["address"], ["ethereum"])


def test_a_second_key_of_one_chain_is_a_conflict(api: Api) -> None:
    agent_id, _ = api.new_agent()
    path = f"/v1/agents/{agent_id}/signing-keys"
    post(api, path, chain="solana")
    reply = post(api, path, chain="solana")
    assert (reply.status_code, reply.json()["code"]) == (409, "key_exists")


def test_a_key_is_rotated_deactivated_and_provisioned_again(api: Api) -> None:
    agent_id, _ = api.new_agent()
    path = f"/v1/agents/{agent_id}/signing-keys"
    first = post(api, path, chain="ethereum").json()
    second = api.client.post(f"{path}/base/rotate", headers=api.person).json()
    assert second["key_version"] == 2
    assert second["address"] != first["address"]
    assert api.client.delete(f"{path}/ethereum", headers=api.person).status_code == 204
    assert api.client.delete(f"{path}/ethereum", headers=api.person).status_code == 204
    third = post(api, path, chain="ethereum").json()
    assert (third["key_version"], third["is_active"]) == (3, True)


@pytest.mark.parametrize("chain", ["dogecoin", "Ethereum", "", "..", "a" * 300])
def test_an_unknown_chain_has_no_keys(api: Api, chain: str) -> None:
    agent_id, _ = api.new_agent()
    assert post(api, f"/v1/agents/{agent_id}/signing-keys", chain=chain).status_code == 400


def test_a_key_is_never_exported(api: Api) -> None:
    agent_id, headers = api.new_agent()
    for path in (
        f"/v1/agents/{agent_id}/signing-keys/ethereum/export",
        "/v1/treasury/wallets/ethereum/export",
    ):
        for who in (headers, api.person, {}):
            reply = api.client.post(path, headers=who)
            assert (reply.status_code, reply.json()["code"]) == (403, "key_export_forbidden")


def test_an_organisation_without_a_tier_has_no_treasury(api: Api) -> None:
    reply = api.client.post("/v1/treasury/wallets/generate", headers=api.person)
    assert (reply.status_code, reply.json()["code"]) == (409, "tier_missing")


def test_an_agent_lists_its_own_keys_only(api: Api) -> None:
    first, headers = api.new_agent()
    second, _ = api.new_agent()
    assert api.client.get(f"/v1/agents/{first}/signing-keys", headers=headers).status_code == 200
    assert api.client.get(f"/v1/agents/{second}/signing-keys", headers=headers).status_code == 404
