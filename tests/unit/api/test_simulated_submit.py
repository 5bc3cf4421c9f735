"""Submissions that are simulated first: a revert is 422, and is recorded."""

from collections.abc import Iterator

import orjson
import pytest

from tests.harness.api import Api, running_api
from tests.harness.builders.simulation import REVERT_EMPTY, STOP
from tests.harness.signing_agents import SigningAgent, new_key, refusal, sender_of, signing_agent

REVERTING, STOPPING = "0x" + "c0" * 20, "0x" + "c1" * 20
GENESIS = {
    "version": 1,
    "chain_id": 8453,
    "block": {
        "number": 1,
        "timestamp_s": 1_767_225_600,
        "base_fee_wei": "0",
        "gas_limit": 60_000_000,
    },
    "alloc": {
        REVERTING: {"code": f"0x{REVERT_EMPTY.hex()}"},
        STOPPING: {"code": f"0x{STOP.hex()}"},
    },
}
FREE = {"value": "0", "max_fee_per_gas": "0", "max_priority_fee_per_gas": "0"}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("api") / "data"
    with running_api(folder, orjson.dumps(GENESIS)) as running:
        yield running


@pytest.fixture(scope="module")
def agent(api: Api) -> SigningAgent:
    return signing_agent(api)


def test_a_reverting_transaction_is_not_signed(api: Api, agent: SigningAgent) -> None:
    reply = agent.submit(**FREE, to=REVERTING, simulate_first=True)
    assert refusal(reply) == (422, "simulation_failed")
    body = reply.json()
    assert body["transaction_id"] in body["detail"]
    assert "revert" in body["detail"]
    recorded = api.services.backend.outcome(body["transaction_id"])
    assert recorded is not None
    assert recorded["reason"] == "simulation_reverted"


def test_a_successful_simulation_is_signed(agent: SigningAgent) -> None:
    reply = agent.submit(**FREE, to=STOPPING, simulate_first=True)
    assert reply.status_code == 201, reply.text
    assert reply.json()["simulation_status"] == "success"
    assert sender_of(reply.json()["signed_tx"]) == agent.address


def test_a_revert_with_a_key_is_answered_again(agent: SigningAgent) -> None:
    key = new_key()
    first = agent.submit(key, **FREE, to=REVERTING, simulate_first=True)
    again = agent.submit(key, **FREE, to=REVERTING, simulate_first=True)
    assert (first.status_code, again.status_code) == (422, 422)
    assert again.json() == first.json()


def test_the_unified_route_simulates_too(agent: SigningAgent) -> None:
    body = {"intent_type": "transaction", "chain": "base", "to": REVERTING, "gas_limit": 100_000}
    reply = agent.sign(**body | FREE, simulate_first=True)
    assert refusal(reply) == (422, "simulation_failed")
