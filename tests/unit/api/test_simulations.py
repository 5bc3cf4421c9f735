"""Simulations answer what a transaction would do, and neither sign nor charge anything."""

from typing import Any

import orjson
import pytest

from signer.core.ethereum.address import checksum_address
from streams.simulators.example import (
    FUNDED_USDC_BASE_UNITS,
    LANDMARKS,
    REVERTS_WITH_REASON,
    example_genesis,
)
from tests.harness.api import Api
from tests.harness.builders.simulation import BOB, ETHER, calldata

Headers = dict[str, str]
BASE = LANDMARKS[8453]
SHOWN_BOB = checksum_address(bytes.fromhex(BOB[2:]))


class Agent:
    """An agent with a key that holds 10 ETH on the simulator's Base."""

    def __init__(self, api: Api, **members: Any) -> None:
        self.api = api
        self.id, self.headers = api.new_agent(**members)
        path = f"/v1/agents/{self.id}/signing-keys"
        reply = api.client.post(path, json={"chain": "ethereum"}, headers=api.person)
        assert reply.status_code == 201, reply.text
        self.address: str = reply.json()["address"]

    def post(self, route: str, body: Any, headers: Headers | None = None) -> Any:
        path = f"/v1/agents/{self.id}/transactions/{route}"
        return self.api.client.post(path, json=body, headers=headers or self.headers)

    def simulate(self, **members: Any) -> dict[str, Any]:
        reply = self.post("simulate", {"chain": "base", "to": BOB} | members)
        assert reply.status_code == 200, reply.text
        body: dict[str, Any] = reply.json()
        return body


@pytest.fixture(scope="module")
def agent(api: Api) -> Agent:
    made = Agent(api)
    fund(api, made.address)
    return made


def fund(api: Api, address: str) -> None:
    genesis = example_genesis(8453, {address.lower(): 10 * ETHER})
    api.folder.genesis.mkdir(exist_ok=True)
    (api.folder.genesis / "base.json").write_bytes(orjson.dumps(genesis))


def test_reply_has_the_documented_members(agent: Agent) -> None:
    body = agent.simulate(value="0.5")
    assert body.pop("simulation_id").startswith("sim_")
    assert body == {
        "status": "success",
        "chain": "base",
        "chain_id": 8453,
        "from": agent.address,
        "to": SHOWN_BOB,
        "gas_used": 21_000,
        "gas_limit": 26_250,
        "block_number": 1,
        "balance_changes": sorted(
            [
                {
                    "address": agent.address,
                    "token": "ETH",
                    "before": "10",
                    "after": "9.5",
                    "change": "-0.5",
                    "decimals": 18,
                },
                {
                    "address": SHOWN_BOB,
                    "token": "ETH",
                    "before": "0",
                    "after": "0.5",
                    "change": "+0.5",
                    "decimals": 18,
                },
            ],
            key=lambda change: str(change["address"]).lower(),
        ),
        "created_address": None,
        "reason": None,
        "detail": None,
        "error": None,
        "revert_reason": None,
        "tenderly_dashboard_url": None,
    }


def test_token_amounts_are_in_the_tokens_smallest_units(agent: Agent) -> None:
    data = calldata("Usdc", "transfer(address,uint256)", BOB, 7)
    changes = agent.simulate(to=BASE.usdc, data=f"0x{data.hex()}")["balance_changes"]
    (lost,) = [change for change in changes if change["address"] == agent.address]
    assert lost["token"].lower() == BASE.usdc
    assert (lost["before"], lost["change"]) == (str(FUNDED_USDC_BASE_UNITS), "-7")
    assert lost["decimals"] == 0


def test_revert_is_a_result_with_its_reason(agent: Agent) -> None:
    body = agent.simulate(to=REVERTS_WITH_REASON)
    assert (body["status"], body["reason"], body["gas_limit"]) == ("reverted", "error_string", None)
    assert body["detail"]
    assert body["error"] == body["revert_reason"] == body["detail"]
    assert body["balance_changes"] == []


def test_lack_of_funds_is_a_failure(agent: Agent) -> None:
    body = agent.simulate(value="10.5")
    assert (body["status"], body["reason"]) == ("failed", "insufficient_funds")
    assert (body["error"], body["revert_reason"]) == (body["detail"], None)


def test_nothing_is_charged_or_recorded(agent: Agent) -> None:
    path = f"/v1/agents/{agent.id}"
    before = agent.api.client.get(path, headers=agent.headers).json()
    agent.simulate(value="5")
    after = agent.api.client.get(path, headers=agent.headers).json()
    listed = agent.api.client.get(f"{path}/transactions", headers=agent.headers).json()
    assert after["tx_spent_today_eth"] == before["tx_spent_today_eth"]
    assert listed["transactions"] == []


def test_bundle_runs_in_order_on_one_state(agent: Agent) -> None:
    deposit = {
        "chain": "base",
        "to": BASE.weth,
        "value": "3",
        "data": f"0x{calldata('Weth', 'deposit()').hex()}",
    }
    data = calldata("Weth", "transfer(address,uint256)", BOB, 2 * ETHER)
    transfer = {"chain": 8453, "to": BASE.weth, "data": f"0x{data.hex()}"}
    alone = agent.simulate(**transfer)
    reply = agent.post("simulate-bundle", {"transactions": [deposit, transfer]})
    assert reply.status_code == 200, reply.text
    body = reply.json()
    assert alone["status"] == "reverted"
    assert (body["status"], body["bundle_id"][:7]) == ("success", "bundle_")
    assert [one["status"] for one in body["simulations"]] == ["success", "success"]
    (gained,) = [
        change
        for change in body["simulations"][1]["balance_changes"]
        if change["address"] == SHOWN_BOB
    ]
    assert (gained["before"], gained["after"]) == ("0", str(2 * ETHER))


def test_bundle_has_the_status_of_the_first_failure(agent: Agent) -> None:
    good = {"chain": "base", "to": BOB, "value": "1"}
    bad = {"chain": "base", "to": REVERTS_WITH_REASON}
    body = agent.post("simulate-bundle", {"transactions": [good, bad, good]}).json()
    assert body["status"] == "reverted"
    assert [one["status"] for one in body["simulations"]] == ["success", "reverted", "success"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "transactions"),
        ({"transactions": []}, "transactions"),
        ({"transactions": [{"chain": "base", "to": BOB}] * 11}, "transactions"),
        ({"transactions": [{"chain": "base", "to": BOB}, {"to": BOB}]}, "transactions.1.chain"),
        ({"transactions": [{"chain": "atlantis", "to": BOB}]}, "transactions.0.chain"),
        ({"transactions": [{"chain": "base", "to": "0x12"}]}, "transactions.0.to"),
        ({"transactions": "base"}, "transactions"),
    ],
)
def test_malformed_bundle_is_refused_by_name(agent: Agent, body: Any, field: str) -> None:
    reply = agent.post("simulate-bundle", body)
    assert reply.status_code == 400
    assert field in reply.json()["fields"]


def test_malformed_request_is_refused_as_for_submitting(agent: Agent) -> None:
    for wrong in ({"value": 1.5}, {"gasless": True}, {"to": None}, {"chain": "bitcoin"}):
        reply = agent.post("simulate", {"chain": "base", "to": BOB} | wrong)
        assert (reply.status_code, reply.json()["code"]) == (400, "validation")


def test_chain_without_a_simulator_is_not_supported(agent: Agent) -> None:
    reply = agent.post("simulate", {"chain": "optimism", "to": BOB})
    assert (reply.status_code, reply.json()["code"]) == (501, "no_simulator")


def test_damaged_genesis_is_unavailable_and_not_a_defect(agent: Agent) -> None:
    path = agent.api.folder.genesis / "broken.json"
    path.write_text("{")
    try:
        reply = agent.post("simulate", {"chain": "base", "to": BOB})
    finally:
        path.unlink()
    assert (reply.status_code, reply.json()["code"]) == (503, "simulation_unavailable")
    assert reply.headers["Retry-After"] == "1"


def test_key_of_another_agent_or_without_a_grant_is_refused(api: Api, agent: Agent) -> None:
    other = Agent(api, name="other")
    foreign = f"agents/{agent.id}/chains/ethereum/private_key"
    for path, code in ((foreign, "key_not_granted"), ("keys/unknown", "key_unknown")):
        body = {"chain": "base", "to": BOB, "signing_key_path": path}
        reply = other.post("simulate", body)
        assert (reply.status_code, reply.json()["code"]) == (403, code)
        assert agent.address not in reply.text


def test_only_the_agent_itself_simulates(api: Api, agent: Agent) -> None:
    body = {"chain": "base", "to": BOB}
    _, other = api.new_agent(name="stranger")
    assert agent.post("simulate", body, other).status_code == 404
    assert agent.post("simulate", body, api.person).status_code == 403
    assert agent.post("simulate", body, {"Authorization": "Bearer x"}).status_code == 401
