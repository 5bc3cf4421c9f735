"""Replays of a request: byte for byte the first answer, or an answer that says what is gone."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from schemas.canonical import canonical_bytes
from schemas.redaction import redacted
from sixgate.api.app import create_app
from sixgate.gateway.idempotency import IdempotencyKeys
from streams.ledger.verified_outcomes import RecordedOutcome
from tests.harness.api import Api
from tests.harness.signing_agents import TRANSFER, SigningAgent, new_key, signing_agent


@pytest.fixture(scope="module")
def agent(api: Api) -> SigningAgent:
    return signing_agent(api)


class ForgetfulLog:
    """The reads of a log whose retention has removed every outcome."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def outcomes_at(self, places: Sequence[tuple[int, int]]) -> list[bytes | None]:
        return [None for _ in places]


def after_restart(api: Api, **changes: Any) -> TestClient:
    """Return a client of the API as a new process serves it: no outcome is in memory."""
    services = replace(api.services, idempotency=IdempotencyKeys(api.services.database), **changes)
    return TestClient(create_app(services))


def repeat(client: TestClient, agent: SigningAgent, key: str, path: str) -> Response:
    headers = agent.headers | {"Idempotency-Key": key}
    reply: Response = client.post(f"/v1/agents/{agent.id}{path}", json=TRANSFER, headers=headers)
    return reply


@pytest.mark.parametrize("path", ["/transactions", "/transactions/sign"])
def test_a_replay_after_a_restart_is_byte_for_byte_the_first_answer(
    api: Api, agent: SigningAgent, path: str
) -> None:
    key = new_key()
    first = repeat(api.client, agent, key, path)
    assert first.status_code == 201
    for client in (api.client, after_restart(api), after_restart(api)):
        again = repeat(client, agent, key, path)
        assert (again.status_code, again.content) == (200, first.content)


def test_a_replay_of_a_refusal_after_a_restart_is_the_first_answer(
    api: Api, agent: SigningAgent
) -> None:
    key, url = new_key(), f"/v1/agents/{agent.id}/transactions"
    body, headers = TRANSFER | {"nonce": 77}, agent.headers | {"Idempotency-Key": key}
    first = api.client.post(url, json=body, headers=headers)
    assert first.json()["code"] == "nonce_too_high"
    again = after_restart(api).post(url, json=body, headers=headers)
    assert (again.status_code, again.content) == (first.status_code, first.content)


def test_a_replay_whose_bytes_are_gone_says_so_and_shows_no_digest(
    api: Api, agent: SigningAgent
) -> None:
    key = new_key()
    first = repeat(api.client, agent, key, "/transactions").json()
    backend = replace(api.services.backend, read=ForgetfulLog(api.services.backend.read))
    again = repeat(after_restart(api, backend=backend), agent, key, "/transactions")
    assert again.status_code == 200
    assert again.json()["signed_tx"] is None
    assert "are gone" in again.json()["detail"]
    assert again.json() | {"detail": None, "signed_tx": first["signed_tx"]} == first


def test_only_its_own_record_completes_an_outcome(api: Api, agent: SigningAgent) -> None:
    outcomes = [api.services.backend.outcome(agent.submit().json()["id"]) for _ in range(2)]
    one, other = (orjson.dumps(outcome) for outcome in outcomes)
    recorded = RecordedOutcome(canonical_bytes(redacted(orjson.loads(one))), 0, 0)
    assert recorded.whole(one) == outcomes[0]
    changed = orjson.dumps(orjson.loads(one) | {"raw_transaction": "0x00"})
    for wrong in (other, changed, b"{}", b"[]", b"\x00", b'{"raw_transaction": 1}'):
        assert recorded.whole(wrong) is None
    assert "raw_transaction" not in recorded.without_redacted()
