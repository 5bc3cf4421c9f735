"""Agents submit transactions: guardrails, fields, waiting, and requests for other agents."""

from dataclasses import replace
from typing import Any

import pytest
from eth_utils.crypto import keccak
from fastapi.testclient import TestClient

from schemas.registry.records import AgentSet, VaultCreated
from sixgate.api.app import create_app
from tests.harness.api import ACCOUNT, Api
from tests.harness.signing_agents import (
    FEES,
    TO,
    TRANSFER,
    SigningAgent,
    refusal,
    sender_of,
    signing_agent,
)

ROUTES = ("/transactions", "/transactions/sign")
OTHER = "0x" + "cd" * 20


@pytest.fixture(scope="module")
def agent(api: Api) -> SigningAgent:
    """An agent without limits, which no test changes."""
    return signing_agent(api)


def test_a_submitted_transaction_is_signed_with_the_agents_key(agent: SigningAgent) -> None:
    reply = agent.submit()
    assert reply.status_code == 201, reply.text
    body = reply.json()
    assert body["status"] == "signed"
    assert body["broadcast"] is False
    assert (body["from"], body["to"]) == (agent.address, TO)
    assert (body["from_address"], body["to_address"]) == (agent.address, TO)
    assert sender_of(body["signed_tx"]) == agent.address
    assert body["tx_hash"] == "0x" + keccak(hexstr=body["signed_tx"]).hex()
    assert (body["chain"], body["chain_id"], body["value_wei"]) == (
        "base",
        8453,
        "1000000000000000",
    )
    assert len(body["id"]) == 66


def test_signing_only_answers_with_the_documented_members(agent: SigningAgent) -> None:
    reply = agent.post("/transactions/sign", TRANSFER)
    assert reply.status_code == 201, reply.text
    body = reply.json()
    assert (body["status"], body["broadcast"]) == ("sign_only", False)
    assert isinstance(body["nonce"], int)
    assert sender_of(body["signed_tx"]) == agent.address


def test_without_an_idempotency_key_every_request_is_another_transaction(
    agent: SigningAgent,
) -> None:
    first, second = agent.submit().json(), agent.submit().json()
    assert first["id"] != second["id"]
    assert second["nonce"] == first["nonce"] + 1


@pytest.mark.parametrize(("route", "action"), [(ROUTES[0], "submit"), (ROUTES[1], "sign")])
def test_a_submission_is_recorded_with_its_sender_and_address(
    api: Api, agent: SigningAgent, route: str, action: str
) -> None:
    made = agent.post(route, TRANSFER).json()
    url = f"/v1/audit/events?resource_id=transaction:{made['id']}"
    events = api.client.get(url, headers=api.person).json()["events"]
    (call,) = [event for event in events if event["action"] == f"transaction.{action}"]
    assert call["actor_id"].endswith(agent.id)
    assert call["ip_address"] == "testclient"


@pytest.mark.parametrize("chain", ["base", "8453", 8453])
def test_a_chain_is_named_or_given_by_its_id(agent: SigningAgent, chain: object) -> None:
    assert agent.submit(chain=chain).json()["chain_id"] == 8453


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    ("limit", "request_", "code", "numbers"),
    [
        ({"tx_max_value_eth": "0.5"}, {"value": "0.6"}, "value_too_high", ("0.6", "0.5")),
        ({"tx_to_allowlist": [OTHER]}, {}, "recipient_not_allowed", (TO.lower(),)),
        ({"tx_allowed_chains": ["ethereum"]}, {}, "chain_not_allowed", ("base",)),
        ({"tx_max_fee_eth": "0.00001"}, {}, "fee_too_high", ("0.0001", "0.00001")),
    ],
)
def test_a_guardrail_refuses_with_its_numbers_and_the_transaction(
    api: Api, route: str, limit: dict[str, Any], request_: dict[str, Any], code: str,
    numbers: tuple[str, ...],
) -> None:  # fmt: skip
    agent = signing_agent(api)
    agent.limit(**{name: tuple(v) if isinstance(v, list) else v for name, v in limit.items()})
    reply = agent.post(route, TRANSFER | request_)
    assert refusal(reply) == (403, code)
    body = reply.json()
    assert body["transaction_id"] in body["detail"]
    assert all(number in body["detail"] for number in numbers), body["detail"]
    assert body["gate"]


def test_the_daily_limit_says_what_is_left(api: Api) -> None:
    agent = signing_agent(api)
    spent = agent.submit(value="0.25")
    assert spent.status_code == 201
    used = api.services.backend.read.account(ACCOUNT).spent_wei(api.services.now_ms())
    limit_eth = str((used + 10**17) / 10**18)
    agent.limit(tx_daily_limit_eth=limit_eth)
    reply = agent.submit(value="0.2")
    assert refusal(reply) == (403, "daily_limit_exceeded")
    assert "0.1 is left today" in reply.json()["detail"]
    assert limit_eth in reply.json()["detail"]


def test_a_nonce_out_of_order_is_a_conflict(api: Api) -> None:
    agent = signing_agent(api)
    assert agent.submit(nonce="0").json()["nonce"] == 0
    assert refusal(agent.submit(nonce=0)) == (409, "nonce_used")
    assert refusal(agent.submit(nonce=7)) == (409, "nonce_too_high")


def test_a_rate_limit_says_when_to_come_back(api: Api) -> None:
    agent = signing_agent(api)
    agent.limit(intents_per_minute=1)
    assert agent.submit().status_code == 201
    reply = agent.submit()
    assert refusal(reply) == (429, "rate_exceeded")
    assert 59 <= int(reply.headers["retry-after"]) <= 61


def test_fees_that_nobody_sets_are_asked_for(api: Api) -> None:
    agent = signing_agent(api)
    body = {
        "name": "feeless",
        "display_name": "Feeless",
        "chain_id": 424242,
        "native_currency": "X",
    }
    reply = api.client.post(
        "/v1/admin/chains",
        json=body | {"rpc_url": "https://rpc.example", "explorer_url": "https://example.org"},
        headers=api.person,
    )
    assert reply.status_code in {200, 201}, reply.text
    sent = agent.post("/transactions", {"chain": "feeless", "to": TO, "value": "0"})
    assert refusal(sent) == (400, "fee_unknown")


def test_a_simulation_that_nothing_can_make_is_not_to_be_retried_at_once(
    agent: SigningAgent,
) -> None:
    reply = agent.submit(simulate_first=True)
    assert refusal(reply) == (503, "simulation_missing")
    assert "retry-after" not in reply.headers
    assert "nothing was signed" in reply.json()["detail"]
    assert "or without simulate_first" in reply.json()["detail"]


def test_an_undecided_transaction_is_pending(api: Api, agent: SigningAgent) -> None:
    impatient = TestClient(create_app(replace(api.services, wait_s=0)))
    url = f"/v1/agents/{agent.id}/transactions"
    reply = impatient.post(url, json=TRANSFER, headers=agent.headers)
    assert reply.status_code == 202
    assert reply.json() == {"id": reply.json()["id"], "status": "pending"}
    agent.submit()  # comes after it, so it is decided
    trail = api.services.backend.outcome(reply.json()["id"])
    assert trail is not None
    assert trail["type"] == "transaction.signed"


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "members",
    [
        {"gasless": True}, {"treasury_id": "t"}, {"mode": "safe"}, {"destination_tag": 0},
        {"memo": "x"}, {"fee_rate_sat_per_vbyte": 1}, {"fee_limit_sun": 1}, {"token_mint": "m"},
        {"token_decimals": 0}, {"ttl": 1}, {"xrpl_tx_json": {"a": 1}}, {"raw_transaction": "0x00"},
        {"tron_transaction": {"a": 1}},
        {"agent": "x"}, {"agent_id": "x"}, {"account": "x"}, {"org": "x"}, {"key_path": "keys/x"},
        {"expires_at_ms": 1}, {"idempotency_key": "x"}, {"value_wei": "1"}, {"from": TO},
    ],
)  # fmt: skip
def test_members_that_have_no_effect_are_refused_by_name(
    agent: SigningAgent, route: str, members: dict[str, Any]
) -> None:
    reply = agent.post(route, TRANSFER | members)
    assert refusal(reply) == (400, "validation")
    assert set(reply.json()["fields"]) == set(members)


@pytest.mark.parametrize(
    ("chain", "to"),
    [
        ("solana", "7EYnhQoR9YM3N7UoaKRoA44Uy8JeaZV3qyouov87awMs"),
        ("bitcoin", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"),
        ("base", "alice.eth"),
    ],
)
def test_a_recipient_on_no_evm_chain_is_refused_with_this_reason(
    agent: SigningAgent, chain: str, to: str
) -> None:
    reply = agent.submit(chain=chain, to=to)
    assert refusal(reply) == (400, "validation")
    assert "Sixgate signs for no other chains" in reply.json()["fields"]["to"]


def test_unsupported_members_that_ask_for_nothing_are_accepted(agent: SigningAgent) -> None:
    empty: dict[str, Any] = {
        "gasless": False,
        "treasury_id": None,
        "mode": "",
        "xrpl_tx_json": {},
        "memo": None,
    }
    assert agent.submit(**empty, data=None, nonce=None, access_list=None).status_code == 201
    assert agent.submit(mode="eoa").status_code == 201


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"value": 1}, "value"), ({"value": 0.5}, "value"), ({"value": None}, "value"),
        ({"value": "-1"}, "value"), ({"value": "1e3"}, "value"), ({"value": "\u0663"}, "value"),
        ({"value": "0,5"}, "value"), ({"value": "1000000000"}, "value"),
        ({"value": "1" + "0" * 100}, "value"), ({"value": "0." + "1" * 19}, "value"),
        ({"gas_price": 1.0}, "gas_price"), ({"gas_price": "1.5"}, "gas_price"),
        ({"gas_price": True}, "gas_price"), ({"gas_price": "1" * 79}, "gas_price"),
        ({"max_fee_per_gas": "\uff11"}, "max_fee_per_gas"), ({"nonce": -1}, "nonce"),
        ({"nonce": 2**53}, "nonce"), ({"nonce": True}, "nonce"), ({"nonce": "1.0"}, "nonce"),
        ({"gas_limit": 0}, "gas_limit"), ({"gas_limit": "9" * 70}, "gas_limit"),
        ({"tx_type": 5}, "tx_type"), ({"to": "0x12"}, "to"), ({"to": TO.swapcase()}, "to"),
        ({"to": TO[:-1] + "\u0392"}, "to"), ({"to": None}, "to"), ({"data": "0x1"}, "data"),
        ({"data": "0x" + "00" * (128 * 1024 + 1)}, "data"), ({"simulate_first": "yes"},
         "simulate_first"), ({"chain": "nowhere"}, "chain"), ({"chain": 999999}, "chain"),
        ({"chain": True}, "chain"), ({"chain": "bitcoin"}, "chain"),
        ({"chain": "b" * 5000}, "chain"),
        ({"access_list": [{"address": TO}]}, "access_list"),
        ({"access_list": [{"address": TO, "storage_keys": []}] * 1025}, "access_list"),
        ({"blob_versioned_hashes": ["0x00"]}, "blob_versioned_hashes"),
        ({"authorization_list": [1]}, "authorization_list"),
        ({"signing_key_path": "secrets/x"}, "signing_key_path"),
        ({"signing_key_path": "keys/../x"}, "signing_key_path"),
        ({"signing_key_path": ""}, "signing_key_path"),
        ({"client_share": "AAAA"}, "client_share"),
    ],
)  # fmt: skip
def test_a_wrong_member_is_named(agent: SigningAgent, members: dict[str, Any], field: str) -> None:
    reply = agent.submit(**members)
    assert refusal(reply) == (400, "validation")
    assert list(reply.json()["fields"]) == [field]


def test_wei_in_place_of_ether_get_a_hint(agent: SigningAgent) -> None:
    detail = agent.submit(value="1000000000000000000").json()["detail"]
    assert "is in ETH, not in wei" in detail
    assert 'are written "1"' in detail


@pytest.mark.usefixtures("usual_recursion_limit")
@pytest.mark.parametrize(
    "raw",
    [b'{"value":' + b"9" * 5000 + b"}", b"[" * 100_000, b'{"chain":"\xff"}', b"[]", b"null", b""],
    ids=["huge number", "deep", "not UTF-8", "list", "null", "empty"],
)
def test_bodies_that_are_no_request_are_invalid(agent: SigningAgent, raw: bytes) -> None:
    url, headers = f"/v1/agents/{agent.id}/transactions", {"content-type": "application/json"}
    reply = agent.api.client.post(url, content=raw, headers=agent.headers | headers)
    assert refusal(reply)[0] == 400


def test_an_intent_over_the_size_of_a_record_is_refused(agent: SigningAgent) -> None:
    keys = ["0x" + "00" * 32] * 1024
    reply = agent.submit(access_list=[{"address": TO, "storageKeys": keys}] * 4)
    assert refusal(reply) == (400, "validation")


def test_a_contract_is_created_if_to_is_null(api: Api) -> None:
    agent = signing_agent(api)
    agent.limit(allow_contract_creation=True)
    body = agent.submit(to=None, data="0x00", value="0").json()
    assert body["to"] is None
    assert sender_of(body["signed_tx"]) == agent.address


def test_an_agent_cannot_submit_as_another_one(api: Api, agent: SigningAgent) -> None:
    thief = signing_agent(api, key=False)
    for route in (*ROUTES, "/sign"):
        url = f"/v1/agents/{agent.id}{route}"
        reply = api.client.post(url, json=TRANSFER, headers=thief.headers)
        assert refusal(reply) == (404, "not_found")
        reply = api.client.post(url, json=TRANSFER, headers=api.person)
        assert refusal(reply) == (403, "agents_only")
        assert api.client.post(url, json=TRANSFER).status_code == 401


def test_an_agent_cannot_name_another_agents_key(api: Api, agent: SigningAgent) -> None:
    thief = signing_agent(api, key=False)
    path = f"agents/{agent.id}/chains/ethereum/private_key"
    reply = thief.submit(signing_key_path=path)
    assert refusal(reply) == (403, "key_not_granted")
    assert f"agents/{thief.id}/chains/" in reply.json()["detail"]


def test_an_agent_without_a_key_is_refused_and_that_is_recorded(api: Api) -> None:
    agent = signing_agent(api, key=False)
    reply = agent.submit()
    assert refusal(reply) == (403, "key_unknown")
    assert "keys/base-signer" in reply.json()["detail"]
    recorded = api.services.backend.outcome(reply.json()["transaction_id"])
    assert recorded is not None
    assert recorded["reason"] == "key_unknown"


def test_an_agent_whose_intents_are_off_is_refused(api: Api) -> None:
    agent = signing_agent(api, intents_api_enabled=False)
    assert refusal(agent.submit()) == (403, "intents_api_off")


def test_a_gateway_does_not_sign_for_an_agent_with_its_own_key(api: Api) -> None:
    agent = signing_agent(api)
    changed = agent.registered.model_copy(update={"gateway": None, "public_key": "0x" + "11" * 32})
    agent.registers(changed)
    for route in (*ROUTES, "/sign"):
        body = TRANSFER | ({"intent_type": "transaction"} if route == "/sign" else {})
        assert refusal(agent.post(route, body)) == (403, "agent_has_own_key")


def test_a_key_in_a_client_custody_vault_needs_the_clients_share(api: Api) -> None:
    agent = signing_agent(api, key=False)
    agent.registers(
        VaultCreated(account=ACCOUNT, vault="__treasury-keys", mode="2of2_client_custody")
    )
    url = "/v1/treasury/wallets/generate"
    made = api.client.post(url, json={"chains": ["ethereum"]}, headers=api.person)
    wallet = made.json()["wallets"][0]
    path = "wallets/treasury-ethereum"
    agent.registers(AgentSet(**agent.registered.model_dump() | {"key_paths": (path,)}))
    body, share = TRANSFER | {"signing_key_path": path}, wallet["client_share"]
    signed = agent.post("/transactions", body, X_Client_Share=share)
    assert signed.status_code == 201, signed.text
    assert sender_of(signed.json()["signed_tx"]) == wallet["address"]
    assert refusal(agent.post("/transactions", body)) == (403, "client_share_missing")
    wrong = ("A" if share[0] != "A" else "B") + share[1:]
    assert refusal(agent.post("/transactions", body, X_Client_Share=wrong)) == (
        403,
        "client_share_wrong",
    )
    for text in ("", "not base64", "AAAA" * 30):
        reply = agent.post("/transactions", body, X_Client_Share=text)
        assert refusal(reply) == (400, "validation")
        assert list(reply.json()["fields"]) == ["X-Client-Share"]
        assert not text or text not in reply.text


def test_a_client_share_is_refused_for_a_key_without_one(agent: SigningAgent) -> None:
    reply = agent.post("/transactions", TRANSFER, X_Client_Share="AAAA")
    assert list(reply.json()["fields"]) == ["X-Client-Share"]


@pytest.mark.parametrize("given", [FEES["gas_limit"], str(FEES["gas_limit"])])
def test_integers_may_be_numbers_or_strings(agent: SigningAgent, given: object) -> None:
    legacy = {"chain": "base", "to": TO, "value": "0", "gas_limit": given, "gas_price": 10**9}
    body = agent.post("/transactions/sign", legacy).json()
    assert (body["gas_limit"], body["gas_price"], body["tx_type"]) == (100_000, "1000000000", 0)
