"""Idempotency keys after crashes, after their time, and with another store."""

from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from sixgate.api.app import create_app
from sixgate.api.services import Services
from sixgate.api_error import ApiError
from sixgate.gateway.idempotency import hashed_key
from sixgate.services.embedded.http_api import EmbeddedApiSettings, node_services
from tests.harness.api import Api
from tests.harness.signing_agents import TRANSFER, SigningAgent, new_key, refusal, signing_agent

DAY_MS = 24 * 60 * 60 * 1000


class DyingSubmit:
    """Appends nothing, as if the process ended before it could."""

    def append(self, _events: Any) -> None:
        raise ApiError("connection_lost", "the connection was lost")


@pytest.fixture(scope="module")
def agent(api: Api) -> SigningAgent:
    return signing_agent(api)


def crash_between_row_and_append(services: Services, agent: SigningAgent, key: str) -> str:
    """Store the row of a request and end there, as a killed process would."""
    app = create_app(replace(services, backend=replace(services.backend, submit=DyingSubmit())))
    url, headers = f"/v1/agents/{agent.id}/transactions", agent.headers | {"Idempotency-Key": key}
    with TestClient(app, raise_server_exceptions=False) as client:
        client.post(url, json=TRANSFER, headers=headers)
    stored = services.idempotency.intent_of(agent.id, key)
    assert stored is not None
    return stored


def test_a_request_that_was_stored_but_not_submitted_is_submitted_at_the_next_start(
    api: Api, agent: SigningAgent
) -> None:
    key = new_key()
    stored = crash_between_row_and_append(api.services, agent, key)
    assert agent.outcomes_of(key) == []
    # As a new process over the folder.
    with node_services(api.folder, api.node, EmbeddedApiSettings()) as restarted:
        agent.submit()  # comes after it, so it is decided
        assert len(agent.outcomes_of(key)) == 1
        url = f"/v1/agents/{agent.id}/transactions"
        headers = _token_of(restarted, agent) | {"Idempotency-Key": key}
        with TestClient(create_app(restarted)) as client:
            reply = client.post(url, json=TRANSFER, headers=headers)
            other = client.post(url, json=TRANSFER | {"value": "0.002"}, headers=headers)
    assert (reply.status_code, reply.json()["id"]) == (200, stored)
    assert refusal(other) == (409, "idempotency_conflict")
    assert len(agent.outcomes_of(key)) == 1


def test_a_start_submits_nothing_twice(api: Api, agent: SigningAgent) -> None:
    key = new_key()
    first = agent.submit(key).json()
    for _ in range(2):  # the end of this request is not noted yet: it is submitted again
        with node_services(api.folder, api.node, EmbeddedApiSettings()):
            pass
    agent.submit()
    assert len(agent.outcomes_of(key)) == 1
    assert agent.submit(key).json() == first


def _token_of(services: Services, agent: SigningAgent) -> dict[str, str]:
    issued = services.api_keys.issue("agent", agent.id, now_ms=services.now_ms())
    text, _ = services.tokens.issue(
        "agent", agent.id, issued.key.id, now_ms=services.now_ms(), ttl_s=300
    )
    return {"Authorization": f"Bearer {text}"}


def test_a_key_is_forgotten_after_its_time_and_the_signer_still_remembers_it(
    api: Api, agent: SigningAgent
) -> None:
    key = new_key()
    first = agent.submit(key).json()
    database = api.services.database
    database.write(
        "UPDATE idempotency_keys SET created_at_ms = created_at_ms - ? WHERE key = ?",
        (DAY_MS + 60_000, hashed_key(key)),
    )
    again = agent.submit(key)  # a new intent, which repeats the request in the signer's memory
    assert (again.status_code, again.json()["id"]) == (200, first["id"])
    assert refusal(agent.submit(key, value="0.002")) == (409, "idempotency_conflict")
    assert len(agent.outcomes_of(key)) == 1


def test_a_stored_intent_that_cannot_be_read_does_not_keep_its_key_in_progress(
    api: Api, agent: SigningAgent
) -> None:
    key = new_key()
    assert agent.submit(key).status_code == 201
    statement = "UPDATE idempotency_keys SET envelope = x'7b7d' WHERE agent = ? AND key = ?"
    assert api.services.database.write(statement, (agent.id, hashed_key(key))) == 1
    first, second = agent.submit(key), agent.submit(key)
    assert refusal(first) == refusal(second) == (500, "internal")


def test_a_gateway_with_another_store_gets_the_first_outcome(api: Api, agent: SigningAgent) -> None:
    key = new_key()
    first = agent.submit(key).json()
    api.services.database.write("DELETE FROM idempotency_keys WHERE key = ?", (hashed_key(key),))
    again = agent.submit(key)
    assert (again.status_code, again.json()["tx_hash"]) == (200, first["tx_hash"])
    api.services.database.write("DELETE FROM idempotency_keys WHERE key = ?", (hashed_key(key),))
    reply = agent.submit(key, value="0.002")
    assert refusal(reply) == (409, "idempotency_conflict")
