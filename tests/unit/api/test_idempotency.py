"""Idempotency keys: one request, one transaction; repeated, concurrent, crashed and forgotten."""

import asyncio
import threading
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from schemas.intents.clearance import Unattributed
from schemas.intents.reasons import Reason
from schemas.ledger.audit import input_digest
from schemas.record import Outgoing
from schemas.topics import Topic
from sixgate.answers.outcome_notifications import Notices, OutcomeNotifications, Watch
from sixgate.api.app import create_app
from sixgate.api.callers import Caller
from sixgate.api.models.submissions import TransactionRequest
from sixgate.api.requesting import keyed
from sixgate.api.submission import Keyed, Submitter, submit_keyed
from sixgate.api_error import ApiError
from sixgate.backends.ports import Submit
from sixgate.gateway.tokens import Token
from tests.harness.api import Api
from tests.harness.signing_agents import TRANSFER, SigningAgent, new_key, refusal, signing_agent


@pytest.fixture(scope="module")
def agent(api: Api) -> SigningAgent:
    return signing_agent(api)


def test_the_first_request_is_created_and_repetitions_get_the_same_reply(
    agent: SigningAgent,
) -> None:
    key = new_key()
    first, second, third = (agent.submit(key) for _ in range(3))
    assert [reply.status_code for reply in (first, second, third)] == [201, 200, 200]
    assert first.json() == second.json() == third.json()
    assert first.json()["signed_tx"]
    assert len(agent.outcomes_of(key)) == 1


def test_equal_fields_in_another_form_are_the_same_request(agent: SigningAgent) -> None:
    key = new_key()
    first = agent.submit(key, nonce=None, data="0x")
    again = agent.submit(key, value="0.0010", gas_limit="100000", to=TRANSFER["to"].lower())
    assert (again.status_code, again.json()) == (200, first.json())


def test_every_name_of_a_chain_repeats_the_same_request(agent: SigningAgent) -> None:
    key = new_key()
    first = agent.submit(key, chain="base").json()
    for chain in (8453, "8453", "base-mainnet", "base"):
        again = agent.submit(key, chain=chain)
        assert (again.status_code, again.json()) == (200, first)
    assert len(agent.outcomes_of(key)) == 1


def test_another_key_path_is_another_request(agent: SigningAgent) -> None:
    key = new_key()
    first = agent.submit(key, signing_key_path=None).json()
    own = f"agents/{agent.id}/chains/ethereum/private_key"
    assert agent.submit(key, chain=8453, signing_key_path=own).json() == first
    reply = agent.submit(key, chain=8453, signing_key_path="keys/base-signer")
    assert refusal(reply) == (409, "idempotency_conflict")


def test_the_digest_of_stored_requests_never_changes() -> None:
    sent = {"chain": 8453, "to": "0x" + "11" * 20, "value": "0.5", "nonce": "7", "gas_price": "30"}
    stored = keyed("any", TransactionRequest.model_validate(sent), "submit").request
    assert stored == "0xa6f96abfd357b13bc0f19a8aee12a68aa84187b2d3f2a97b913a737f479e53b3"


@pytest.mark.parametrize("change", [{"value": "0.002"}, {"chain": "ethereum"}, {"data": "0x01"}])
def test_another_body_with_the_key_is_a_conflict(
    agent: SigningAgent, change: dict[str, Any]
) -> None:
    key = new_key()
    first = agent.submit(key).json()
    reply = agent.submit(key, **change)
    assert refusal(reply) == (409, "idempotency_conflict")
    assert reply.json()["transaction_id"] == first["id"]
    assert first["id"] in reply.json()["detail"]
    assert "new" not in reply.json()["detail"]  # a new key would pay twice
    assert agent.submit(key).json() == first


def test_signing_only_with_the_key_of_a_submission_is_a_conflict(agent: SigningAgent) -> None:
    key = new_key()
    agent.submit(key)
    reply = agent.post("/transactions/sign", TRANSFER, Idempotency_Key=key)
    assert refusal(reply) == (409, "idempotency_conflict")


def test_a_refused_request_is_refused_again(api: Api) -> None:
    agent, key = signing_agent(api, tx_max_value_eth="0.0001"), new_key()
    first = agent.submit(key)
    assert refusal(first) == (403, "value_too_high")
    agent.limit()
    again = agent.submit(key)
    assert (again.status_code, again.json()) == (403, first.json())
    assert len(agent.outcomes_of(key)) == 1


def test_an_invalid_request_does_not_use_its_key(agent: SigningAgent) -> None:
    key = new_key()
    assert agent.submit(key, value="wrong").status_code == 400
    assert agent.submit(key, chain="nowhere").status_code == 400
    assert agent.submit(key).status_code == 201


def test_a_transaction_is_found_by_its_key(agent: SigningAgent) -> None:
    key = new_key()
    first = agent.submit(key).json()
    url = f"/v1/agents/{agent.id}/transactions?include_signed_tx=true&idempotency_key={key}"
    listed = agent.api.client.get(url, headers=agent.headers).json()["transactions"]
    assert [found["id"] for found in listed] == [first["id"]]
    assert listed == [first]
    own = agent.api.node.intents(limit=5, account=None, agent=agent.id, idempotency_key=key)
    assert [found["intent"] for found in own] == [first["id"]]


def test_a_key_belongs_to_one_agent(api: Api, agent: SigningAgent) -> None:
    other, key = signing_agent(api), new_key()
    first, second = agent.submit(key), other.submit(key)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] != second.json()["id"]
    assert api.services.idempotency.intent_of(agent.id, key) == first.json()["id"]
    assert api.services.idempotency.intent_of(other.id, key) == second.json()["id"]
    assert api.services.idempotency.intent_of(other.id, "unknown") is None


@pytest.mark.parametrize("key", ["", "k" * 256, "k" * 10_240, "\u00e9", "a\tb"])
def test_a_key_that_is_none_is_refused(agent: SigningAgent, key: str) -> None:
    reply = agent.api.client.post(
        f"/v1/agents/{agent.id}/transactions",
        json=TRANSFER,
        headers={
            name.encode(): value.encode("latin-1")
            for name, value in (agent.headers | {"Idempotency-Key": key}).items()
        },
    )
    assert refusal(reply) == (400, "validation")
    assert list(reply.json()["fields"]) == ["Idempotency-Key"]


def test_two_keys_are_refused(agent: SigningAgent) -> None:
    headers = [*agent.headers.items(), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    url = f"/v1/agents/{agent.id}/transactions"
    reply = agent.api.client.post(url, json=TRANSFER, headers=headers)
    assert list(reply.json()["fields"]) == ["Idempotency-Key"]


def test_the_key_itself_is_stored_nowhere(agent: SigningAgent) -> None:
    key = "secret-of-the-caller"
    assert agent.submit(key).status_code == 201
    folder = agent.api.folder
    for path in (folder.gateway, folder.inbox):
        for name in (path.name, f"{path.name}-wal"):
            assert key.encode() not in path.with_name(name).read_bytes()


def test_many_requests_at_once_make_one_transaction(agent: SigningAgent) -> None:
    key, replies = new_key(), list[Response]()
    barrier = threading.Barrier(8)

    def send() -> None:
        barrier.wait()
        replies.append(agent.submit(key))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    codes = [reply.status_code for reply in replies]
    assert codes.count(201) == 1, codes
    assert set(codes) <= {201, 200, 409}
    for reply in replies:
        if reply.status_code == 409:
            assert refusal(reply) == (409, "request_in_progress")
            assert reply.headers["retry-after"] == "1"
    assert len({reply.json()["id"] for reply in replies if reply.status_code < 300}) == 1
    assert len(agent.outcomes_of(key)) == 1


@dataclass
class HeldSubmit:
    """Holds appends back until the test releases them, or fails them."""

    inner: Submit
    reached: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    fails: bool = False

    def append(self, events: Any) -> None:
        self.reached.set()
        if self.fails:
            raise ApiError("connection_lost", "the connection was lost")
        self.released.wait(30)
        self.inner.append(events)


def test_a_request_that_is_being_processed_is_in_progress(api: Api, agent: SigningAgent) -> None:
    key, replies = new_key(), list[Response]()
    submit = HeldSubmit(api.services.backend.submit)
    app = create_app(replace(api.services, backend=replace(api.services.backend, submit=submit)))
    url, headers = f"/v1/agents/{agent.id}/transactions", agent.headers | {"Idempotency-Key": key}
    with TestClient(app) as client:
        first = threading.Thread(
            target=lambda: replies.append(client.post(url, json=TRANSFER, headers=headers))
        )
        first.start()
        assert submit.reached.wait(30)
        second = client.post(url, json=TRANSFER, headers=headers)
        other = client.post(url, json=TRANSFER | {"value": "0.002"}, headers=headers)
        submit.released.set()
        first.join()
        third = client.post(url, json=TRANSFER, headers=headers)
    assert refusal(second) == (409, "request_in_progress")
    assert refusal(other) == (409, "idempotency_conflict")
    assert (replies[0].status_code, third.status_code) == (201, 200)
    assert third.json() == replies[0].json()


def test_after_202_the_key_is_in_progress_and_then_has_its_outcome(
    api: Api, agent: SigningAgent
) -> None:
    key, url = new_key(), f"/v1/agents/{agent.id}/transactions"
    headers = agent.headers | {"Idempotency-Key": key}
    impatient = TestClient(create_app(replace(api.services, wait_s=0)))
    # The pipeline decides nothing meanwhile.
    with api.services.backend.read.unchanged(), impatient as client:
        pending = client.post(url, json=TRANSFER, headers=headers)
        again = client.post(url, json=TRANSFER, headers=headers)
    assert pending.status_code == 202
    assert refusal(again) == (409, "request_in_progress")
    assert again.json()["transaction_id"] == pending.json()["id"]
    agent.submit()  # comes after it, so it is decided
    reply = agent.submit(key)
    assert reply.status_code == 200
    assert reply.json()["id"] == pending.json()["id"]
    assert len(agent.outcomes_of(key)) == 1


def test_a_failed_append_is_repeated_with_the_same_intent(api: Api, agent: SigningAgent) -> None:
    key, url = new_key(), f"/v1/agents/{agent.id}/transactions"
    headers = agent.headers | {"Idempotency-Key": key}
    failing = HeldSubmit(api.services.backend.submit, fails=True)
    backend = replace(api.services.backend, submit=failing)
    with TestClient(create_app(replace(api.services, backend=backend))) as client:
        reply = client.post(url, json=TRANSFER, headers=headers)
    assert refusal(reply) == (503, "connection_lost")
    stored = api.services.idempotency.intent_of(agent.id, key)
    assert f"it is unknown whether transaction {stored} will be signed" in reply.json()["detail"]
    again = agent.submit(key)
    assert (again.status_code, again.json()["id"]) == (200, stored)
    assert len(agent.outcomes_of(key)) == 1


@dataclass
class ForgedRefusals:
    """Ends each wait with a forged refusal, as a writer of ``intents.unattributed`` can."""

    inner: Submit
    ends: OutcomeNotifications = field(default_factory=OutcomeNotifications)

    def watching(self, names: Iterable[str], notices: Notices) -> AbstractContextManager[Watch]:
        return self.ends.watching(names, notices)

    def check_deciding(self, waited_ms: int) -> None:
        pass

    def append(self, events: Sequence[Outgoing]) -> None:
        for event in events:
            refused = Unattributed(
                id="0x" + "11" * 32,
                at_ms=1,
                input_digest=input_digest(event.value),
                size_bytes=len(event.value),
                reason=Reason.AGENT_INACTIVE,
                detail="forged",
            )
            self.ends.publish([Outgoing(Topic.UNATTRIBUTED, "", refused.encode())])
        self.inner.append(events)


def test_a_forged_refusal_does_not_hide_the_outcome_from_a_repetition(
    api: Api, agent: SigningAgent
) -> None:
    key, backend = new_key(), api.services.backend
    forging = ForgedRefusals(backend.submit)
    url, headers = f"/v1/agents/{agent.id}/transactions", agent.headers | {"Idempotency-Key": key}
    forged = replace(api.services, backend=replace(backend, submit=forging, wait=forging))
    with TestClient(create_app(forged)) as client:
        reply = client.post(url, json=TRANSFER, headers=headers)
    assert refusal(reply) == (403, "agent_inactive")
    again = agent.submit(key)
    assert (again.status_code, again.json()["status"]) == (200, "signed")
    assert len(agent.outcomes_of(key)) == 1


def test_a_cancelled_caller_does_not_leave_its_key_in_progress(
    api: Api, agent: SigningAgent
) -> None:
    key = new_key()
    submit = HeldSubmit(api.services.backend.submit)
    services = replace(api.services, backend=replace(api.services.backend, submit=submit))

    async def cancelled() -> None:
        def make(_key: str) -> Any:
            raise ApiError("halted", "no intent is made")

        token = Token("id", "agent", agent.id, "key", 0)
        by = Submitter(
            services, Caller("agent", agent.id, token, "127.0.0.1"), "transaction.submit"
        )
        task = asyncio.create_task(submit_keyed(by, Keyed(key, "0x00"), make))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert agent.submit(key).status_code == 201
