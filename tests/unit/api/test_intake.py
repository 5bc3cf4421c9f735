"""What a flood of requests, or a full disk, leaves behind: attacks by agents over the API."""

from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from schemas.ledger.api_call import ApiCall
from schemas.topics import Topic
from sixgate.api.app import create_app
from sixgate.api.submission import record_refused
from sixgate.config.intake import IntakeSettings
from sixgate.intents.intake import Intake
from tests.harness.api import Api
from tests.harness.builders.disks import NEARLY_FULL, Disk
from tests.harness.signing_agents import TO, TRANSFER, SigningAgent, refusal, signing_agent

FLOOD = 30
LARGE = "0x" + "ab" * 50_000


def records(api: Api, *topics: Topic) -> int:
    """Return how many records the folder's inbox has of these topics."""
    inbox = api.node.pipeline.parts.inbox
    places = [(topic, one) for topic in topics for one in range(inbox.partitions_of(topic))]
    return sum(inbox.end(*place) for place in places)


def keys_stored(api: Api) -> int:
    (row,) = api.services.database.rows("SELECT count(*) AS found FROM idempotency_keys")
    return int(row["found"])


def last_call(api: Api) -> ApiCall:
    (record,) = api.node.pipeline.parts.inbox.read(
        Topic.API_CALLS, 0, records(api, Topic.API_CALLS) - 1, 1
    )
    return ApiCall.decode(record.value)


def flood(agent: SigningAgent, count: int = FLOOD) -> None:
    for number in range(count):
        headers = {"Idempotency-Key": f"flood-{number}"}
        body = {"chain": "base", "to": TO, "value": "0", "data": LARGE}
        reply = agent.post("/transactions", body, **headers)
        assert refusal(reply) == (429, "rate_exceeded")
        assert "nothing was stored" in reply.json()["detail"]
        assert 1 <= int(reply.headers["retry-after"]) <= 61


def test_a_flood_over_the_rate_leaves_one_count_for_the_minute(api: Api) -> None:
    agent = signing_agent(api)
    agent.limit(intents_per_minute=1)
    assert agent.submit().status_code == 201
    record_refused(api.services)  # of other tests
    before, keys = records(api, Topic.SUBMITTED, Topic.API_CALLS), keys_stored(api)
    flood(agent)
    assert records(api, Topic.SUBMITTED, Topic.API_CALLS) - before <= 1  # if a minute ended
    record_refused(api.services)
    assert records(api, Topic.SUBMITTED, Topic.API_CALLS) - before <= 2
    assert keys_stored(api) == keys
    call = last_call(api)
    assert (call.action, call.resource) == ("intent.over_limit", f"agent:{agent.id}")
    assert '"digest": "0x' in call.detail


def test_a_repetition_of_a_paid_request_is_never_over_the_rate(api: Api) -> None:
    agent = signing_agent(api)
    agent.limit(intents_per_minute=1)
    paid = agent.post("/transactions", TRANSFER, **{"Idempotency-Key": "paid"})
    assert paid.status_code == 201
    assert refusal(agent.submit()) == (429, "rate_exceeded")
    before = records(api, Topic.SUBMITTED, Topic.API_CALLS)
    for _ in range(3):
        again = agent.post("/transactions", TRANSFER, **{"Idempotency-Key": "paid"})
        assert (again.status_code, again.json()) == (200, paid.json())
    assert records(api, Topic.SUBMITTED, Topic.API_CALLS) == before


def test_a_repetition_in_another_form_is_never_over_the_rate(api: Api) -> None:
    agent = signing_agent(api)
    agent.limit(intents_per_minute=2)
    paid = agent.submit("one form")
    assert paid.status_code == 201
    for chain in ("8453", 8453, "base"):
        again = agent.submit("one form", chain=chain)
        assert (again.status_code, again.json()) == (200, paid.json())
    assert agent.submit().status_code == 201


def test_a_key_of_a_request_over_the_rate_may_be_used_later(api: Api) -> None:
    agent = signing_agent(api)
    agent.limit(intents_per_minute=1)
    assert agent.submit().status_code == 201
    late = {"Idempotency-Key": "late"}
    assert refusal(agent.post("/transactions", TRANSFER, **late)) == (429, "rate_exceeded")
    agent.limit(intents_per_minute=5)
    assert agent.post("/transactions", TRANSFER, **late).status_code == 201


def test_a_key_whose_intent_the_signer_refused_for_the_rate_may_be_used_later(api: Api) -> None:
    """A new process begins to count, so the signer may refuse what it admits."""
    agent = signing_agent(api)
    agent.limit(intents_per_minute=1)
    assert agent.submit().status_code == 201
    fresh = Intake(IntakeSettings(), lambda: Disk(10**12, 10**12))
    client = TestClient(create_app(replace(api.services, intake=fresh)))
    url, late = f"/v1/agents/{agent.id}/transactions", {"Idempotency-Key": "late too"}
    refused = client.post(url, json=TRANSFER, headers=agent.headers | late)
    assert refusal(refused) == (429, "rate_exceeded")
    assert "same Idempotency-Key" in refused.json()["detail"]
    agent.limit(intents_per_minute=5)
    for status in (201, 200):
        assert agent.post("/transactions", TRANSFER, **late).status_code == status


def test_an_agent_over_its_bytes_of_a_day_is_refused(api: Api) -> None:
    agent = signing_agent(api)
    intake = Intake(IntakeSettings(agent_bytes_per_day_max=2_000), Disk)
    client = TestClient(create_app(replace(api.services, intake=intake)))
    url = f"/v1/agents/{agent.id}/transactions"
    found = [client.post(url, json=TRANSFER, headers=agent.headers) for _ in range(10)]
    assert found[0].status_code == 201
    assert refusal(found[-1]) == (429, "quota_exceeded")


@pytest.fixture(scope="module")
def full(api: Api) -> TestClient:
    """A client of the API on a disk that is nearly full."""
    intake = Intake(IntakeSettings(), lambda: NEARLY_FULL)
    return TestClient(create_app(replace(api.services, intake=intake)))


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/agents", {"name": "late"}),
        ("POST", "/v1/vaults", {"name": "late"}),
        ("PUT", "/v1/vaults/{vault}/secrets/db", {"value": "x"}),
        ("GET", "/v1/vaults/{vault}/secrets", {}),
        ("GET", "/v1/vaults/{vault}/secrets/db", {}),
        ("GET", "/v1/vaults/{vault}/secret-versions/db", {}),
        ("GET", "/v1/vaults/{vault}/secret-version/db/1", {}),
        ("POST", "/v1/webhooks", {"url": "https://example.org/", "events": ["*"]}),
        ("POST", "/v1/auth/api-keys", {"name": "late"}),
    ],
)
def test_new_work_waits_for_disk_space(
    api: Api, full: TestClient, method: str, path: str, body: dict[str, object]
) -> None:
    vault = api.client.post("/v1/vaults", json={"name": "v"}, headers=api.person).json()["id"]
    reply = full.request(method, path.format(vault=vault), json=body, headers=api.person)
    assert refusal(reply) == (503, "disk_low")
    assert "free some space" in reply.json()["detail"]


def test_on_a_full_disk_an_agent_can_be_stopped_and_reads_go_on(api: Api, full: TestClient) -> None:
    agent = signing_agent(api)
    sent = full.post(f"/v1/agents/{agent.id}/transactions", json=TRANSFER, headers=agent.headers)
    assert refusal(sent) == (503, "disk_low")
    url = f"/v1/agents/{agent.id}"
    assert full.post(f"{url}/rotate-key", headers=api.person).status_code == 200
    stopped = full.patch(url, json={"is_active": False}, headers=api.person)
    assert stopped.json()["is_active"] is False
    assert full.get(url, headers=api.person).status_code == 200
    assert full.delete(url, headers=api.person).status_code == 204
