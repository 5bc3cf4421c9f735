"""Every example of the public description of the Intents API, with its documented answer.

Placeholders of the description are replaced: addresses, and the ids of agents and transactions. Two
answers differ on purpose: nothing is broadcast yet, so the status is ``signed``; and addresses of
simulations are those of the agent's key.
"""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import httpx
import pytest
from eth_account import Account as EthAccount

from tests.harness.api_server import ServedApi, data_of, served_api
from tests.harness.simulated_chain import fund

RECIPIENT = "0xABaBaBaBABabABabAbAbABAbABabababaBaBABaB"
USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
SAFE = [USDC, RECIPIENT]
TRANSACTIONS = "/v1/agents/{agent_id}/transactions"
TRANSACTION = {"id", "tx_hash", "chain", "status"}
PERMIT = {
    "types": {
        "Permit": [
            {"name": "owner", "type": "address"},
            {"name": "spender", "type": "address"},
            {"name": "value", "type": "uint256"},
            {"name": "nonce", "type": "uint256"},
            {"name": "deadline", "type": "uint256"},
        ]
    },
    "primaryType": "Permit",
    "domain": {"name": "USD Coin", "version": "2", "chainId": 1, "verifyingContract": USDC},
    "message": {
        "owner": RECIPIENT,
        "spender": RECIPIENT,
        "value": "1000000",
        "nonce": "0",
        "deadline": "1735689600",
    },
}
MY_CHAIN = {
    "name": "my-chain",
    "display_name": "My Chain",
    "chain_id": 12345,
    "rpc_url": "https://rpc.mychain.io",
    "explorer_url": "https://explorer.mychain.io",
    "native_currency": "MCH",
}
GUARDRAILS = {
    "tx_allowed_chains": ["ethereum", "base"],
    "tx_to_allowlist": SAFE,
    "tx_max_value_eth": "0.5",
    "tx_daily_limit_eth": "5.0",
}
SETTING = "intents_api.require_simulation"
MAINNETS = {
    1, 10, 25, 56, 100, 137, 146, 250, 324, 480, 1088, 1101, 1284, 1329, 5000, 8217, 8453, 34443,
    42161, 42170, 42220, 43114, 59144, 80094, 81457, 167000, 534352, 7777777,
}  # fmt: skip
TESTNETS = {11155111, 84532}


class Example(NamedTuple):
    """A request of an agent or a person, and the documented status and members of its answer."""

    title: str
    who: str
    method: str
    path: str
    body: Any
    status: int
    members: set[str]
    values: Mapping[str, Any] = MappingProxyType({})


@dataclass(slots=True)
class Described:
    """The state in which the description's examples are sent: an agent that may use two keys."""

    served: ServedApi
    person: httpx.Client
    agent: httpx.Client
    agent_id: str
    api_key: str
    tx_id: str

    def send(self, example: Example) -> httpx.Response:
        """Send the request of an example."""
        client = self.agent if example.who == "agent" else self.person
        path = example.path.format(agent_id=self.agent_id, tx_id=self.tx_id)
        return client.request(example.method, path, json=example.body)


def submit(**members: Any) -> dict[str, Any]:
    return {"chain": "base", "to": RECIPIENT} | members


HOT = {"data": "0x", "signing_key_path": "wallets/hot-wallet"}
BUNDLE = [submit(value="0", data="0x095ea7b3"), submit(value="0", data="0x38ed1739")]
SIGNED = {"signed_tx", "tx_hash", "from", "to", "chain", "chain_id", "nonce", "value_wei", "status"}
SIMULATED = {"simulation_id", "status", "gas_used", "balance_changes", "tenderly_dashboard_url"}
EXAMPLES = [
    Example("create an agent", "person", "POST", "/v1/agents",
            {"name": "DeFi Bot", "intents_api_enabled": True}, 201, {"id", "api_key"}),
    Example("submit", "agent", "POST", TRANSACTIONS,
            submit(chain="ethereum", value="1.0", **HOT), 201, TRANSACTION | {"signed_tx"},
            {"chain": "ethereum", "status": "signed", "broadcast": False}),
    Example("list", "agent", "GET", TRANSACTIONS, None, 200, {"transactions"}),
    Example("get", "agent", "GET", TRANSACTIONS + "/{tx_id}", None, 200, TRANSACTION),
    Example("list with signed bytes", "agent", "GET", TRANSACTIONS + "?include_signed_tx=true",
            None, 200, {"transactions"}),
    Example("sign only", "agent", "POST", TRANSACTIONS + "/sign",
            submit(chain="ethereum", value="0.1", signing_key_path="keys/ethereum-signer"), 201,
            SIGNED, {"status": "sign_only", "chain_id": 1, "value_wei": "100000000000000000"}),
    Example("simulate", "agent", "POST", TRANSACTIONS + "/simulate", submit(value="0.5", **HOT),
            200, SIMULATED, {"status": "success", "gas_used": 21000}),
    Example("simulate then sign", "agent", "POST", TRANSACTIONS,
            submit(value="0.5", simulate_first=True), 201, TRANSACTION, {"status": "signed"}),
    Example("bundle", "agent", "POST", TRANSACTIONS + "/simulate-bundle",
            {"transactions": BUNDLE}, 200, {"bundle_id", "simulations"}, {"status": "success"}),
    Example("EIP-1559", "agent", "POST", TRANSACTIONS,
            submit(value="0.1", max_fee_per_gas="30000000000",
                   max_priority_fee_per_gas="1500000000", simulate_first=True),
            201, TRANSACTION, {"tx_type": 2, "max_fee_per_gas": "30000000000"}),
    Example("personal_sign", "agent", "POST", "/v1/agents/{agent_id}/sign",
            {"intent_type": "personal_sign", "chain": "ethereum",
             "message": "Hello from my agent!"}, 200, {"signature", "message_hash", "from"}),
    Example("typed data", "agent", "POST", "/v1/agents/{agent_id}/sign",
            {"intent_type": "typed_data", "chain": "ethereum", "typed_data": PERMIT}, 200,
            {"signature", "typed_data_hash", "from"}),
    Example("unified transaction", "agent", "POST", "/v1/agents/{agent_id}/sign",
            {"intent_type": "transaction", "chain": "sepolia", "tx_type": 2, "to": RECIPIENT,
             "value": "0", "max_fee_per_gas": "30000000000",
             "max_priority_fee_per_gas": "2000000000", "gas_limit": 21000}, 200,
            {"signed_tx", "tx_hash", "from"}, {"tx_type": 2, "chain_id": 11155111}),
    Example("a key is provisioned by people only", "agent", "POST",
            "/v1/agents/{agent_id}/signing-keys", {"chain": "solana"}, 403, {"detail"}),
    Example("provision a key", "person", "POST", "/v1/agents/{agent_id}/signing-keys",
            {"chain": "solana"}, 201, {"public_key", "address", "curve", "key_version"},
            {"curve": "Ed25519", "key_version": 1}),
    Example("list keys", "agent", "GET", "/v1/agents/{agent_id}/signing-keys", None, 200,
            {"signing_keys"}),
    Example("rotate a key", "person", "POST", "/v1/agents/{agent_id}/signing-keys/solana/rotate",
            None, 200, {"public_key", "address"}, {"key_version": 2}),
    Example("deactivate a key", "person", "DELETE", "/v1/agents/{agent_id}/signing-keys/solana",
            None, 204, set()),
    Example("add a chain", "person", "POST", "/v1/admin/chains", MY_CHAIN, 201, set(MY_CHAIN),
            MY_CHAIN),
    Example("require simulation", "person", "PUT", f"/v1/admin/settings/{SETTING}",
            {"value": "true"}, 200, {"key", "value"}, {"key": SETTING, "value": "true"}),
    Example("require no simulation", "person", "PUT", f"/v1/admin/settings/{SETTING}",
            {"value": "false"}, 200, {"key", "value"}, {"value": "false"}),
    Example("set guardrails", "person", "PATCH", "/v1/agents/{agent_id}", GUARDRAILS, 200,
            set(GUARDRAILS), {"tx_to_allowlist": SAFE, "tx_max_value_eth": "0.5"}),
    Example("a violated guardrail", "agent", "POST", TRANSACTIONS,
            submit(value="1.0", gas_limit=21000, gas_price="1"), 403, {"detail"}),
]  # fmt: skip


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Described]:
    """Follow the description's quickstart: agent, stored keys with a policy, token."""
    with served_api(tmp_path_factory.mktemp("description") / "data") as served:
        person = served.person
        made = data_of(
            person.agents.create(
                "DeFi Bot", intents_api_enabled=True, message_signing_enabled=True
            ),
            201,
        )
        allowed = {"eip712_domain_allowlist": [{"verifying_contract": USDC}]}
        data_of(person.agents.update(made["id"], **allowed))
        key = data_of(person.signing_keys.create(made["id"], "ethereum"), 201)
        vault = data_of(person.vaults.create("keys"), 201)["id"]
        holders = [key["address"]]
        for path in ("wallets/hot-wallet", "keys/ethereum-signer"):
            secret = "0x" + secrets.token_hex(32)
            data_of(person.secrets.set(vault, path, secret, type="private_key"), 201)
            policy = person.policies.create(
                vault, principal_type="agent", principal_id=made["id"], secret_path_pattern=path
            )
            data_of(policy, 201)
            holders.append(EthAccount.from_key(secret).address)
        fund(served.api, *holders)
        agent = served.raw(made["api_key"])
        raw = served.raw(served.api.person_key)
        found = Described(served, raw, agent, made["id"], made["api_key"], "")
        first = found.send(EXAMPLES[1])
        assert first.status_code == 201, first.text
        found.tx_id = first.json()["id"]
        yield found


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_an_example_gets_its_documented_answer(described: Described, example: Example) -> None:
    reply = described.send(example)
    assert reply.status_code == example.status, reply.text
    body = reply.json() if reply.content else {}
    assert example.members <= body.keys()
    assert {name: body[name] for name in example.values} == example.values


def test_the_exchange_of_a_key_takes_the_agents_id(described: Described) -> None:
    sent = {"agent_id": described.agent_id, "api_key": described.api_key}
    reply = described.person.post("/v1/auth/agent-token", json=sent)
    assert reply.json().keys() >= {"access_token", "expires_in", "agent_id"}
    sent["agent_id"] = "another"
    assert described.person.post("/v1/auth/agent-token", json=sent).status_code == 401


def test_lists_show_signed_bytes_only_if_asked(described: Described) -> None:
    path = f"/v1/agents/{described.agent_id}/transactions"
    for query, shown in (("", False), ("?include_signed_tx=true", True)):
        listed = described.agent.get(path + query).json()["transactions"]
        signed = [one for one in listed if one["tx_hash"] is not None]
        assert signed
        assert all((one.get("signed_tx") is not None) is shown for one in signed)


def test_all_documented_chains_are_listed(described: Described) -> None:
    chains = described.agent.get("/v1/chains").json()["chains"]
    testnet = {chain["chain_id"]: chain["is_testnet"] for chain in chains}
    assert {chain_id for chain_id in testnet if not testnet[chain_id]} >= MAINNETS
    assert {chain_id for chain_id in testnet if testnet[chain_id]} >= TESTNETS
    assert chains[0].keys() >= {"chain_id", "rpc_url", "explorer_url", "native_currency"}


def test_an_idempotency_key_gets_201_then_200(described: Described) -> None:
    path, headers = f"/v1/agents/{described.agent_id}/transactions", {"Idempotency-Key": "a-uuid"}
    body = submit(value="0.1", gas_limit=21000, gas_price="1")
    first = described.agent.post(path, json=body, headers=headers)
    again = described.agent.post(path, json=body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    without = [described.agent.post(path, json=body).json()["id"] for _ in range(2)]
    assert len({first.json()["id"], *without}) == 3


def test_an_agent_without_intents_may_read_keys_and_not_submit(described: Described) -> None:
    person, path = described.served.person, "production/second"
    vault = data_of(person.vaults.create("other"), 201)["id"]
    secret = "0x" + secrets.token_hex(32)
    data_of(person.secrets.set(vault, path, secret, type="private_key"), 201)
    made = data_of(person.agents.create("reader"), 201)
    data_of(
        person.policies.create(
            vault, principal_type="agent", principal_id=made["id"], secret_path_pattern=path
        ),
        201,
    )
    agent, url = described.served.raw(made["api_key"]), f"/v1/vaults/{vault}/secrets/{path}"
    assert agent.get(url).json()["value"] == secret
    submitted = agent.post(f"/v1/agents/{made['id']}/transactions", json=submit(value="0"))
    assert submitted.status_code == 403
    data_of(person.agents.update(made["id"], intents_api_enabled=True))
    assert agent.get(url).status_code == 403
