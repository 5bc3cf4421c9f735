"""The HTTP API on Kafka: real gateway, desk, gates, signer and ledger."""

import base64
import secrets
import signal
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import httpx
import orjson
import pytest

from schemas.dsse import INTENT_TYPE
from schemas.intents.intent import intent_digest
from schemas.record import Outgoing
from schemas.registry.policy import Policy
from schemas.topics import Topic
from signer.custody.event_signing import Ed25519Signer
from sixgate.cli.exit_codes import ExitCode
from sixgate.data_folder.folder import DESK, GATEWAY
from sixgate.data_folder.key_files import load_key_file
from tests.harness.broker.kafka_proxy import Api as KafkaRequest
from tests.harness.broker.kafka_proxy import KafkaProxy, Point, When
from tests.harness.builders.waiting import until
from tests.harness.pipeline.embedded import ACCOUNT, Producer
from tests.harness.pipeline.scaled import on_kafka
from tests.harness.pipeline.scaled_gateway import ScaledGateway, scaled_gateway
from tests.harness.webhooks.receiver import ACCEPTED, Receiver, always, receiving
from tools.local.certificates import client_context

TRADER = Producer(Ed25519Signer("trader", secrets.token_bytes(32)))


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScaledGateway]:
    with scaled_gateway(tmp_path_factory.mktemp("organised"), [TRADER.signer]) as found:
        yield found


@pytest.fixture(scope="module")
def agent(api: ScaledGateway) -> tuple[str, str]:
    return api.new_agent(tx_max_value_eth="0.5")


def values_on(api: ScaledGateway, topic: Topic) -> list[bytes]:
    return list(on_kafka(api.scaled.broker)(topic))


def outcomes_of(api: ScaledGateway, agent: str) -> list[dict[str, Any]]:
    found = map(orjson.loads, values_on(api, Topic.OUTCOMES))
    return [outcome for outcome in found if outcome["agent"] == agent]


def test_transaction_is_signed_and_can_be_read_at_once(
    api: ScaledGateway, agent: tuple[str, str]
) -> None:
    agent_id, token = agent
    reply = api.submit(agent_id, token)
    assert reply.status_code == 201, reply.text
    made = reply.json()
    path = f"/v1/agents/{agent_id}/transactions"
    read = api.request("GET", f"{path}/{made['id']}", token)
    assert (read.status_code, read.json()["tx_hash"]) == (200, made["tx_hash"])
    listed = api.request("GET", path, token).json()
    assert made["id"] in [one["id"] for one in listed["transactions"]]


def test_repeated_request_has_the_first_outcome_and_another_body_conflicts(
    api: ScaledGateway, agent: tuple[str, str]
) -> None:
    agent_id, token = agent
    before = len(outcomes_of(api, agent_id))
    first, again = (api.submit(agent_id, token, "repeated") for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    other = api.submit(agent_id, token, "repeated", value="0.002")
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    assert len(outcomes_of(api, agent_id)) == before + 1


def test_repeated_request_gets_the_first_answer_byte_for_byte_after_a_kill(
    api: ScaledGateway, agent: tuple[str, str]
) -> None:
    agent_id, token = agent
    first = api.submit(agent_id, token, "across a kill")
    assert first.status_code == 201, first.text
    api.scaled.kill("gateway")
    api.scaled.start("gateway")
    api.scaled.await_ready("gateway")
    again = api.submit(agent_id, token, "across a kill")
    assert (again.status_code, again.content) == (200, first.content)


def test_refused_intent_is_answered_and_on_record(
    api: ScaledGateway, agent: tuple[str, str]
) -> None:
    agent_id, token = agent
    reply = api.submit(agent_id, token, value="0.6")
    assert reply.status_code == 403, reply.text
    assert "0.5" in reply.json()["detail"]
    assert outcomes_of(api, agent_id)[-1]["reason"] == "value_too_high"
    events = api.request("GET", "/v1/audit/events", api.person())
    assert events.status_code == 200, events.text
    actions = [event["action"] for event in events.json()["events"]]
    assert {"agent.create", "transaction.submit"} <= set(actions)


def test_secret_is_stored_through_the_desk_and_read_through_custody(api: ScaledGateway) -> None:
    person = api.person()
    vault = api.request("POST", "/v1/vaults", person, json={"name": "main"}).json()["id"]
    path = f"/v1/vaults/{vault}/secrets/prod/token"
    stored = api.request("PUT", path, person, json={"value": "sk-1", "type": "api_key"})
    assert stored.status_code == 201, stored.text
    read = api.request("GET", path, person)
    assert (read.status_code, read.json()["value"]) == (200, "sk-1")


def test_webhook_gets_every_outcome_once_and_in_order_across_a_kill(
    api: ScaledGateway, agent: tuple[str, str]
) -> None:
    agent_id, token = agent
    with receiving(always(ACCEPTED)) as receiver:
        hook = {"url": receiver.url(), "events": ["agent.transaction.signed"]}
        made = api.request("POST", "/v1/webhooks", api.person(), json=hook)
        assert made.status_code == 201, made.text
        ids = [api.submit(agent_id, token).json()["id"] for _ in range(2)]
        until(lambda: len(receiver.received) == 2)
        api.scaled.kill("gateway")
        api.scaled.start("gateway")
        api.scaled.await_ready("gateway")
        ids.append(api.submit(agent_id, token).json()["id"])
        # A delivery whose success was not recorded before the kill is repeated.
        until(lambda: len(delivered(receiver)) == 3)
        assert list(delivered(receiver)) == ids
    deleted = api.request("DELETE", f"/v1/webhooks/{made.json()['id']}", api.person())
    assert deleted.status_code == 204
    api.scaled.await_caught_up("gateway", "desk")


def delivered(receiver: Receiver) -> dict[str, None]:
    """Return the ids of the delivered transactions in order, without repetitions."""
    return dict.fromkeys(orjson.loads(one.body)["data"]["id"] for one in receiver.received)


def test_model_lists_its_tools_over_mcp(api: ScaledGateway, agent: tuple[str, str]) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    headers = {"Accept": "application/json, text/event-stream"}
    reply = api.request("POST", "/mcp", agent[1], json=call, headers=headers)
    assert reply.status_code == 200, reply.text
    assert "explain_policy" in [tool["name"] for tool in reply.json()["result"]["tools"]]
    assert api.request("POST", "/mcp", json=call, headers=headers).status_code == 401


def test_stolen_gateway_key_cannot_sign_for_an_agent_with_a_key_of_its_own(
    api: ScaledGateway,
) -> None:
    folder = api.scaled.folder
    stolen = load_key_file(folder.key(GATEWAY), GATEWAY)
    body = TRADER.intent("stolen").encode()
    forged = stolen.sign_envelope(INTENT_TYPE, body).encode()
    api.scaled.send([Outgoing(Topic.SUBMITTED, ACCOUNT, forged)])
    until(lambda: bool(values_on(api, Topic.UNATTRIBUTED)))
    assert outcomes_of(api, "trader") == []
    api.scaled.send([Outgoing(Topic.SUBMITTED, ACCOUNT, TRADER.signed("own"))])
    until(lambda: bool(outcomes_of(api, "trader")))
    (own,) = outcomes_of(api, "trader")
    assert own["intent"] != intent_digest(body)


def test_desk_refuses_a_policy_looser_than_its_ceiling(api: ScaledGateway) -> None:
    scope = api.scaled.registry().scoped_admins[DESK]
    lower = scope.model_copy(update={"ceiling": Policy(tx_max_value_eth="1")})
    api.scaled.register(lower)
    try:
        body = {"name": "rich", "intents_api_enabled": True, "tx_max_value_eth": "2"}
        reply = api.request("POST", "/v1/agents", api.person(), json=body)
        assert (reply.status_code, reply.json()["code"]) == (409, "registry_refused")
        assert "desk.refused" in api.scaled.log("desk")
        body["tx_max_value_eth"] = "1"
        assert api.request("POST", "/v1/agents", api.person(), json=body).status_code == 201
        assert "desk.signed" in api.scaled.log("desk")
    finally:
        api.scaled.register(scope)


@pytest.mark.parametrize(("name", "status"), [("gateway", 400), ("signer", 403)])
def test_desk_serves_only_the_clients_in_its_settings(
    api: ScaledGateway, name: str, status: int
) -> None:
    body = {"envelope": base64.b64encode(TRADER.signed("no-record")).decode()}
    context = client_context(api.authority.file, api.authority.issue(name))
    with httpx.Client(base_url=api.desk_url, verify=context, trust_env=False) as client:
        reply = client.post("/v1/desk/registry", json=body)
    assert reply.status_code == status
    assert reply.json()["code"] == ("request_malformed" if status == 400 else "client_unknown")


def test_desk_serves_no_client_without_a_certificate(api: ScaledGateway) -> None:
    trusting = ssl.create_default_context(cafile=str(api.authority.file))
    with (
        httpx.Client(base_url=api.desk_url, verify=trusting, trust_env=False) as client,
        pytest.raises(httpx.TransportError),
    ):
        client.post("/v1/desk/registry", json={"envelope": ""})


def test_gateway_ends_if_the_result_of_a_write_is_unknown_and_the_intent_is_signed_once(
    api: ScaledGateway, agent: tuple[str, str]
) -> None:
    agent_id, token = agent
    before = len(outcomes_of(api, agent_id))
    with closing(KafkaProxy(int(api.scaled.servers.rpartition(":")[2]))) as proxy:
        api.scaled.doors["gateway"] = f"127.0.0.1:{proxy.port}"
        api.scaled.stop("gateway")
        api.scaled.start("gateway")
        api.scaled.await_ready("gateway")
        proxy.arm(Point(1, KafkaRequest.PRODUCE, When.AFTER), proxy.close)
        with suppress(httpx.TransportError):
            assert api.submit(agent_id, token, "unknown").status_code == 503
        assert api.scaled.processes.pop("gateway").wait(60) == ExitCode.UNREACHABLE
    del api.scaled.doors["gateway"]
    api.scaled.start("gateway")
    api.scaled.await_ready("gateway")
    until(lambda: api.submit(agent_id, token, "unknown").status_code == 200)
    again = api.submit(agent_id, token, "unknown").json()
    assert [one["intent"] for one in outcomes_of(api, agent_id)[before:]] == [again["id"]]


def test_killed_gateway_signs_nothing_twice_and_serves_without_a_desk(
    api: ScaledGateway, agent: tuple[str, str]
) -> None:
    agent_id, token = agent
    before, submitted = len(outcomes_of(api, agent_id)), len(values_on(api, Topic.SUBMITTED))
    signer = api.scaled.processes["signer"]
    signer.send_signal(signal.SIGSTOP)
    ends: list[Any] = []

    def ask() -> None:
        try:
            ends.append(api.submit(agent_id, token, "killed"))
        except httpx.TransportError as error:
            ends.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    until(lambda: len(values_on(api, Topic.SUBMITTED)) > submitted)
    api.scaled.kill("gateway")
    asking.join()
    assert isinstance(ends[0], httpx.TransportError)
    signer.send_signal(signal.SIGCONT)
    api.scaled.more["gateway"] = api.scaled.more["gateway"].partition("[desk_at]")[0]
    api.scaled.start("gateway")
    api.scaled.await_ready("gateway")
    until(lambda: api.submit(agent_id, token, "killed").status_code == 200)
    again = api.submit(agent_id, token, "killed").json()
    made = outcomes_of(api, agent_id)[before:]
    assert [one["intent"] for one in made] == [again["id"]]
    refused = api.request("POST", "/v1/agents", api.person(), json={"name": "more"})
    assert (refused.status_code, refused.json()["code"]) == (403, "desk_absent")
    assert "administers with the CLI" in refused.json()["detail"]
    assert api.submit(agent_id, token).status_code == 201
