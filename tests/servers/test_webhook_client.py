"""The product's own public client registers a webhook, and its events arrive."""

import secrets
from pathlib import Path
from typing import Any

import pytest
from oneclaw import create_client
from oneclaw.types import OneclawResponse
from standardwebhooks.webhooks import Webhook

from schemas.dsse import INTENT_TYPE
from schemas.intents.intent import TransactionIntent
from sixgate.api.app import create_app
from sixgate.api.server import Listen, Tcp, serving
from sixgate.clocks import wall_ms
from tests.harness.api import ACCOUNT, UNHURRIED, Api, running_api
from tests.harness.builders.waiting import until
from tests.harness.pipeline.embedded_fixtures import submitted
from tests.harness.webhooks.receiver import ACCEPTED, always, receiving


def data_of(response: OneclawResponse[Any]) -> dict[str, Any]:
    assert response.error is None, response.error
    assert isinstance(response.data, dict)
    return response.data


def refused_intent(api: Api, agent_id: str) -> str:
    """Submit an intent for a key that does not exist; return the intent's id."""
    intent = TransactionIntent(
        kind="transaction",
        org="acme",
        account=ACCOUNT,
        agent=agent_id,
        chain_id=8453,
        to="0x" + "11" * 20,
        value_wei=10**15,
        data="0x",
        simulate_first=False,
        key_path="keys/absent",
        idempotency_key=secrets.token_hex(8),
        expires_at_ms=wall_ms() + 600_000,
    )
    envelope = api.services.gateway_key.sign_envelope(INTENT_TYPE, intent.encode()).encode()
    [*_, end] = api.node.submit([submitted(envelope, ACCOUNT)], wait=True)
    return str(end["intent"])


def test_the_public_client_registers_a_webhook_and_its_events_arrive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIXGATE_WEBHOOKS__ALLOWED_NETWORKS", '["127.0.0.1/32"]')
    listen = Listen(tcp=(Tcp(),))
    with (
        running_api(tmp_path / "data") as api,
        serving(create_app(api.services), listen, UNHURRIED) as address,
        receiving(always(ACCEPTED)) as receiver,
        create_client(base_url=address.url, api_key=api.person_key) as client,
    ):
        created = client.webhooks.create(receiver.url(), ["agent.transaction.refused"])
        assert created.meta is not None
        assert created.meta.status == 201
        webhook = data_of(created)
        agent_id, _ = api.new_agent()
        intent = refused_intent(api, agent_id)
        until(lambda: len(receiver.received) == 1)
        [request] = receiver.received
        event = Webhook(webhook["secret"]).verify(request.body, request.headers)
        assert event["type"] == "agent.transaction.refused"
        assert (event["data"]["id"], event["data"]["agent_id"]) == (intent, agent_id)

        listed = data_of(client.webhooks.list())["webhooks"]
        assert [one["id"] for one in listed] == [webhook["id"]]
        changed = data_of(client.webhooks.update(webhook["id"], is_active=False, events=["*"]))
        assert (changed["is_active"], changed["events"]) == (False, ["*"])
        assert client.webhooks.get(webhook["id"]).data == changed
        assert client.webhooks.delete(webhook["id"]).error is None
        gone = client.webhooks.get(webhook["id"])
        assert gone.error is not None
        assert gone.error.type == "not_found"
        refused = client.webhooks.create("https://169.254.169.254/", ["*"])
        assert refused.error is not None
        assert "link-local" in refused.error.message
