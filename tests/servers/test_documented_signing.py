"""The documented client, unmodified but for its base URL: submit, sign, simulate, read."""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from eth_account import Account as EthAccount
from oneclaw import OneclawClient

from streams.simulators.example import REVERTS_WITH_REASON
from tests.harness.api_server import ServedApi, data_of, refusal_of, served_api
from tests.harness.documented_agents import LEGACY, TO, TYPE_2, Agent, new_agent, sender_of
from tests.harness.simulated_chain import fund

OTHER = "0x" + "cd" * 20
REQUIRE_SIMULATION = "intents_api.require_simulation"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedApi]:
    with served_api(tmp_path_factory.mktemp("documented") / "data") as served:
        yield served


@pytest.fixture(scope="module")
def person(served: ServedApi) -> OneclawClient:
    return served.person


@pytest.fixture(scope="module")
def agent(served: ServedApi, person: OneclawClient) -> Agent:
    """An agent without limits, with ether on Base; no test changes it."""
    made = new_agent(served, person)
    fund(served.api, made.address)
    return made


@pytest.mark.parametrize(
    ("limit", "passing", "failing", "number"),
    [
        ({"tx_allowed_chains": ["base"]}, {}, {"chain": "ethereum"}, "ethereum"),
        ({"tx_to_allowlist": [TO]}, {}, {"to": OTHER}, OTHER),
        ({"tx_max_value_eth": "0.5"}, {"value": "0.5"}, {"value": "0.6"}, "0.6"),
    ],
)
def test_step_7_a_guardrail_lets_pass_and_refuses_with_its_number(
    served: ServedApi, person: OneclawClient, limit: Any, passing: Any, failing: Any, number: str
) -> None:
    agent = new_agent(served, person)
    data_of(agent.submit(**failing), 201)
    data_of(person.agents.update(agent.id, **limit))
    data_of(agent.submit(**passing), 201)
    assert number in refusal_of(agent.submit(**failing), 403)
    assert number in refusal_of(agent.sign_only(**failing), 403)


def test_step_7_the_daily_limit_counts_submits_and_signatures(
    served: ServedApi, person: OneclawClient
) -> None:
    agent = new_agent(served, person)
    spent = float(data_of(agent.client.agents.me())["tx_spent_today_eth"])
    data_of(person.agents.update(agent.id, tx_daily_limit_eth=f"{spent + 0.5:.6f}"))
    data_of(agent.submit(value="0.2"), 201)
    data_of(agent.sign_only(value="0.2"), 201)
    assert "0.1 is left today" in refusal_of(agent.submit(value="0.2"), 403)


def test_step_8_an_idempotency_key_makes_one_transaction(agent: Agent) -> None:
    key = secrets.token_hex(8)
    first = data_of(agent.submit(idempotency_key=key), 201)
    again = data_of(agent.submit(idempotency_key=key), 200)
    assert (again["id"], again["tx_hash"]) == (first["id"], first["tx_hash"])
    assert again["signed_tx"] == first["signed_tx"]
    other = agent.submit(idempotency_key=key, value="0.002")
    assert key in refusal_of(other, 409) or first["id"] in str(other.error)


def test_step_8_parallel_repetitions_make_one_transaction(served: ServedApi, agent: Agent) -> None:
    key = secrets.token_hex(8)
    clients = [served.client(agent.api_key) for _ in range(4)]

    def submit(client: OneclawClient) -> Any:
        return client.agents.submit_transaction(
            agent.id, chain="base", to=TO, value="0", idempotency_key=key, **TYPE_2
        )

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(submit, clients))
    statuses = sorted(answer.meta.status for answer in answers)
    assert statuses.count(201) == 1
    assert set(statuses) <= {200, 201, 409}
    assert len({answer.data["id"] for answer in answers if answer.data}) == 1


def test_step_8_without_a_key_every_submit_is_another_transaction(agent: Agent) -> None:
    first, second = data_of(agent.submit(), 201), data_of(agent.submit(), 201)
    assert first["id"] != second["id"]
    assert second["nonce"] == first["nonce"] + 1


@pytest.mark.parametrize("fees", [TYPE_2, LEGACY], ids=["EIP-1559", "legacy"])
def test_step_9_a_transaction_is_signed_with_its_fees(
    served: ServedApi, person: OneclawClient, fees: dict[str, Any]
) -> None:
    agent = new_agent(served, person)
    response = agent.client.agents.submit_transaction(
        agent.id, chain="base", to=TO, value="0.5", nonce=0, **fees
    )
    made = data_of(response, 201)
    assert (made["nonce"], made["status"], made["broadcast"]) == (0, "signed", False)
    assert sender_of(made["signed_tx"]) == agent.address == made["from"]
    assert made["value_wei"] == "500000000000000000"
    assert data_of(agent.submit(), 201)["nonce"] == 1


def test_step_9_a_stored_key_signs_by_its_path_and_by_default(
    served: ServedApi, person: OneclawClient
) -> None:
    made = data_of(person.agents.create("trader", intents_api_enabled=True), 201)
    vault = data_of(person.vaults.create("keys"), 201)["id"]
    client = served.client(made["api_key"])
    for path, named in (("wallets/hot-wallet", True), ("keys/base-signer", False)):
        secret = "0x" + secrets.token_hex(32)
        data_of(person.secrets.set(vault, path, secret, type="private_key"), 201)
        granted = person.policies.create(
            vault, principal_type="agent", principal_id=made["id"], secret_path_pattern=path
        )
        data_of(granted, 201)
        member = {"signing_key_path": path} if named else {}
        sent: dict[str, Any] = {"chain": "base", "to": TO, "value": "0"} | TYPE_2 | member
        signed = data_of(client.agents.submit_transaction(made["id"], **sent), 201)
        assert sender_of(signed["signed_tx"]) == EthAccount.from_key(secret).address
    refused = client.agents.submit_transaction(
        made["id"], chain="base", to=TO, signing_key_path="production/key", **TYPE_2
    )
    assert "signing_key_path" in refusal_of(refused, 400)


def test_step_9_signing_only_returns_the_bytes_and_the_sender(agent: Agent) -> None:
    made = data_of(agent.sign_only(value="0.1"), 201)
    assert made["status"] == "sign_only"
    assert (made["chain"], made["chain_id"], made["to"]) == ("base", 8453, TO)
    assert made["value_wei"] == "100000000000000000"
    assert sender_of(made["signed_tx"]) == agent.address == made["from"]


def test_step_9_a_transaction_and_a_bundle_are_simulated(agent: Agent) -> None:
    body = {"chain": "base", "to": TO, "value": "0.5"}
    found = data_of(agent.client.agents.simulate_transaction(agent.id, **body))
    assert found["simulation_id"].startswith("sim_")
    assert (found["status"], found["gas_used"]) == ("success", 21_000)
    assert {one["change"] for one in found["balance_changes"]} == {"-0.5", "+0.5"}
    assert found["tenderly_dashboard_url"] is None
    bundle = data_of(agent.client.agents.simulate_bundle(agent.id, [body, body]))
    assert [one["status"] for one in bundle["simulations"]] == ["success", "success"]
    reverted = data_of(
        agent.client.agents.simulate_transaction(agent.id, chain="base", to=REVERTS_WITH_REASON)
    )
    assert reverted["status"] == "reverted"


def test_step_9_a_reverting_transaction_is_not_signed(agent: Agent) -> None:
    refused = agent.submit(to=REVERTS_WITH_REASON, value="0", simulate_first=True)
    sentence = refusal_of(refused, 422)
    newest = data_of(agent.client.agents.list_transactions(agent.id))["transactions"][0]
    assert newest["id"] in sentence
    assert (newest["status"], newest["tx_hash"]) == ("simulation_failed", None)
    done = data_of(agent.submit(simulate_first=True), 201)
    assert done["simulation_status"] == "success"


def test_step_10_the_setting_simulates_every_transaction(
    agent: Agent, person: OneclawClient
) -> None:
    data_of(person.org.update_setting(REQUIRE_SIMULATION, "true"))
    try:
        refusal_of(agent.submit(to=REVERTS_WITH_REASON, value="0"), 422)
    finally:
        data_of(person.org.update_setting(REQUIRE_SIMULATION, "false"))
    data_of(agent.submit(to=REVERTS_WITH_REASON, value="0"), 201)


def test_step_11_transactions_are_read_with_and_without_the_signed_bytes(
    person: OneclawClient, agent: Agent
) -> None:
    made = data_of(agent.submit(), 201)
    read = data_of(agent.client.agents.get_transaction(agent.id, made["id"]))
    assert (read["id"], read["tx_hash"]) == (made["id"], made["tx_hash"])
    assert read.get("signed_tx") is None
    full = agent.client.agents.get_transaction(agent.id, made["id"], include_signed_tx=True)
    assert data_of(full)["signed_tx"] == made["signed_tx"]
    listed = data_of(agent.client.agents.list_transactions(agent.id))["transactions"]
    assert listed[0] == read
    url = f"/v1/agents/{agent.id}/transactions"
    with_bytes = agent.raw.get(url, params={"include_signed_tx": "true"}).json()
    assert with_bytes["transactions"][0]["signed_tx"] == made["signed_tx"]
    assert data_of(person.agents.get_transaction(agent.id, made["id"])) == read


def test_step_11_another_agent_neither_reads_nor_submits(
    served: ServedApi, person: OneclawClient, agent: Agent
) -> None:
    made, other = data_of(agent.submit(), 201), new_agent(served, person)
    agents = other.client.agents
    sent: dict[str, Any] = {"chain": "base", "to": TO, "value": "0"} | TYPE_2
    for response in (
        agents.get_transaction(agent.id, made["id"]),
        agents.get_transaction(other.id, made["id"]),
        agents.list_transactions(agent.id),
        agents.submit_transaction(agent.id, **sent),
        agents.sign_transaction(agent.id, **sent),
        agents.simulate_transaction(agent.id, **sent),
        agents.simulate_bundle(agent.id, [sent]),
        agents.sign_intent(agent.id, intent_type="transaction", **sent),
        agents.get(agent.id),
        other.client.signing_keys.list(agent.id),
    ):
        refusal_of(response, 404)
    refusal_of(person.agents.submit_transaction(agent.id, **sent), 403)
