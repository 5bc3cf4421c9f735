"""Reads of transactions: documented members, redaction, paging, and nothing of other agents."""

import itertools
import json
from typing import Any

import pytest

from schemas.dsse import INTENT_TYPE
from schemas.intents.intent import TransactionIntent, intent_digest
from schemas.record import Outgoing
from schemas.topics import Topic
from tests.harness.api import ACCOUNT, Api
from tests.harness.builders.waiting import until
from tests.harness.signing_agents import new_key, signing_agent

RECIPIENT = "0x" + "bb" * 20
Headers = dict[str, str]
_numbers = itertools.count()


@pytest.fixture(scope="module")
def agent(api: Api) -> tuple[str, Headers]:
    agent_id, headers = api.new_agent()
    path = f"/v1/agents/{agent_id}/signing-keys"
    reply = api.client.post(path, json={"chain": "ethereum"}, headers=api.person)
    assert reply.status_code == 201, reply.text
    return agent_id, headers


def submit(api: Api, agent_id: str, **changes: Any) -> str:
    """Submit an intent as the gateway does and return its id."""
    members: dict[str, Any] = {
        "mode": "submit",
        "org": api.services.org,
        "account": ACCOUNT,
        "agent": agent_id,
        "chain_id": 8453,
        "key_path": f"agents/{agent_id}/chains/ethereum/private_key",
        "idempotency_key": f"test-{next(_numbers)}",
        "expires_at_ms": api.services.now_ms() + 600_000,
        "to": RECIPIENT,
        "value_wei": 10**15,
        "data": "0x",
        "simulate_first": False,
    }
    body = TransactionIntent(**members | changes).encode()
    envelope = api.services.gateway_key.sign_envelope(INTENT_TYPE, body)
    api.services.backend.submit.append([Outgoing(Topic.SUBMITTED, ACCOUNT, envelope.encode())])
    return intent_digest(body)


def signed(api: Api, agent_id: str, **changes: Any) -> str:
    """Submit an intent, wait for its outcome and return its id."""
    tx_id = submit(api, agent_id, **changes)

    def decided() -> bool:
        api.services.transactions.catch_up()
        reply = api.services.transactions.reply(agent_id, tx_id)
        return reply is not None and json.loads(reply)["status"] != "pending"

    until(decided)
    return tx_id


def get(api: Api, path: str, headers: Headers, **query: Any) -> Any:
    return api.client.get(f"/v1/agents/{path}", headers=headers, params=query)


def test_transaction_is_read_by_id_and_by_hash(api: Api, agent: tuple[str, Headers]) -> None:
    agent_id, headers = agent
    tx_id = signed(api, agent_id)
    reply = get(api, f"{agent_id}/transactions/{tx_id}", headers)
    assert reply.status_code == 200
    body = reply.json()
    assert (body["id"], body["status"], body["chain"]) == (tx_id, "signed", "base")
    assert (body["broadcast"], body["value"], body["chain_id"]) == (False, "0.001", 8453)
    assert body["from"] == body["from_address"]
    assert body["to"] == body["to_address"]
    by_hash = get(api, f"{agent_id}/transactions/{body['tx_hash']}", headers)
    assert by_hash.json() == body


def test_read_repeats_the_reply_to_the_submission(api: Api) -> None:
    agent = signing_agent(api)
    key = new_key()
    submitted = agent.submit(key)
    assert submitted.status_code == 201
    reply = submitted.json()
    path = f"{agent.id}/transactions"
    read = get(api, f"{path}/{reply['id']}", agent.headers, include_signed_tx=True)
    listed = get(api, path, agent.headers, include_signed_tx=True, idempotency_key=key)
    assert read.json() == reply
    assert listed.json() == {"transactions": [reply], "next_cursor": None}


def test_refused_submission_is_listed_with_its_id(api: Api) -> None:
    agent = signing_agent(api)
    refused = agent.submit(signing_key_path="keys/unknown-signer")
    assert refused.status_code == 403
    (listed,) = get(api, f"{agent.id}/transactions", agent.headers).json()["transactions"]
    assert listed["reason"] == refused.json()["code"]
    assert listed["id"] in refused.text


def test_signed_bytes_are_absent_unless_the_query_asks_for_them(
    api: Api, agent: tuple[str, Headers]
) -> None:
    agent_id, headers = agent
    path = f"{agent_id}/transactions"
    one = f"{path}/{signed(api, agent_id)}"
    assert "signed_tx" not in get(api, one, headers).json()
    assert all("signed_tx" not in each for each in get(api, path, headers).json()["transactions"])
    shown = get(api, one, headers, include_signed_tx="true").json()
    assert shown["signed_tx"].startswith("0x02")
    newest = get(api, path, headers, include_signed_tx="true").json()["transactions"][0]
    assert newest == shown


def test_person_reads_an_agents_transactions(api: Api, agent: tuple[str, Headers]) -> None:
    agent_id, _ = agent
    tx_id = signed(api, agent_id)
    assert get(api, f"{agent_id}/transactions/{tx_id}", api.person).json()["id"] == tx_id


def test_refusal_says_why(api: Api, agent: tuple[str, Headers]) -> None:
    agent_id, headers = agent
    tx_id = signed(api, agent_id, key_path="keys/missing-signer")
    body = get(api, f"{agent_id}/transactions/{tx_id}", headers).json()
    assert (body["status"], body["tx_hash"]) == ("refused", None)
    assert body["reason"].startswith("key_")
    assert body["detail"]


def test_other_agent_gets_404_and_learns_nothing(api: Api, agent: tuple[str, Headers]) -> None:
    agent_id, headers = agent
    tx_id = signed(api, agent_id)
    other_id, other = api.new_agent(name="other")
    assert get(api, f"{agent_id}/transactions/{tx_id}", other).status_code == 404
    assert get(api, f"{agent_id}/transactions", other).status_code == 404
    hidden = get(api, f"{other_id}/transactions/{tx_id}", other)
    absent = get(api, f"{other_id}/transactions/0x{'00' * 32}", other)
    assert (hidden.status_code, absent.status_code) == (404, 404)
    assert hidden.json()["code"] == absent.json()["code"] == "not_found"
    assert get(api, f"{other_id}/transactions", other).json()["transactions"] == []
    assert headers != other


@pytest.mark.parametrize(
    "name", ["%25", "'", "0x' OR '1'='1", "null", "x" * 5000, "0X" + "AB" * 32]
)
def test_hostile_names_are_not_found(api: Api, agent: tuple[str, Headers], name: str) -> None:
    agent_id, headers = agent
    reply = get(api, f"{agent_id}/transactions/{name}", headers)
    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")


def test_unknown_agent_and_missing_token_are_refused(api: Api) -> None:
    assert get(api, "nobody/transactions", api.person).status_code == 404
    assert get(api, "nobody/transactions", {}).status_code == 401


def test_list_pages_newest_first(api: Api) -> None:
    agent_id, headers = api.new_agent(name="lister")
    ids = [signed(api, agent_id, key_path="keys/missing-signer") for _ in range(5)]
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        body = get(api, f"{agent_id}/transactions", headers, **query).json()
        seen += [each["id"] for each in body["transactions"]]
        if body["next_cursor"] is None:
            break
        signed(api, agent_id, key_path="keys/missing-signer")
        query["cursor"] = body["next_cursor"]
    assert seen == ids[::-1]


def test_list_is_restricted_by_status_and_key(api: Api, agent: tuple[str, Headers]) -> None:
    agent_id, headers = agent
    path = f"{agent_id}/transactions"
    tx_id = signed(api, agent_id, idempotency_key="only-this-one")
    found = get(api, path, headers, idempotency_key="only-this-one").json()["transactions"]
    assert [each["id"] for each in found] == [tx_id]
    for key in ("%", "only-this-on_", "' OR 1=1 --"):
        assert get(api, path, headers, idempotency_key=key).json()["transactions"] == []
    statuses = {
        each["status"] for each in get(api, path, headers, status="refused").json()["transactions"]
    }
    assert statuses <= {"refused"}
    assert get(api, path, headers, status="broadcast").json()["transactions"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "1.2"}, "cursor"),
        ({"cursor": "9" * 17 + ".0.0"}, "cursor"),
        ({"cursor": "٣.1.1"}, "cursor"),
        ({"limit": 0}, "limit"),
        ({"limit": 1001}, "limit"),
        ({"status": "signed'"}, "status"),
        ({"include_signed_tx": "perhaps"}, "include_signed_tx"),
        ({"idempotency_key": "k" * 257}, "idempotency_key"),
    ],
)
def test_malformed_query_is_refused_by_name(
    api: Api, agent: tuple[str, Headers], query: dict[str, Any], field: str
) -> None:
    agent_id, headers = agent
    reply = get(api, f"{agent_id}/transactions", headers, **query)
    assert reply.status_code == 400
    assert any(name.startswith(field) for name in reply.json()["fields"])


def test_reply_fits_the_published_schema(api: Api, agent: tuple[str, Headers]) -> None:
    agent_id, headers = agent
    signed(api, agent_id)
    schema = api.client.get("/v1/openapi.json").json()["components"]["schemas"]
    body = get(api, f"{agent_id}/transactions", headers, include_signed_tx=True).json()
    for each in body["transactions"]:
        assert set(each) == set(schema["TransactionReply"]["properties"])


def test_the_feed_of_reads_changes_with_each_append_and_each_commit(
    api: Api, agent: tuple[str, Headers]
) -> None:
    pipeline = api.node.pipeline
    # No step of the pipeline's own thread comes in between.
    with api.services.backend.read.feed() as feed, pipeline.lock:
        before = feed.version()
        submit(api, agent[0])
        appended = feed.version()
        assert pipeline.step() > 0
        assert len({before, appended, feed.version()}) == 3
