"""Bodies of webhooks."""

import re
from typing import Any

import orjson
import pytest
from hypothesis import given

from schemas.intents.outcome import AnyOutcome, IntentRejected, MessageSigned, TransactionSigned
from schemas.intents.reasons import Reason
from sixgate.webhooks.errors import WebhookInvalidError
from sixgate.webhooks.events import EVENT_NAMES, require_event_names, webhook_event
from tests.harness.builders.models import values_of
from tests.harness.builders.pages import DOCS

FIELDS = {
    "id", "agent_id", "chain", "chain_id", "intent_type", "status", "tx_hash", "message_hash",
    "from", "to", "value_wei", "reason", "detail",
}  # fmt: skip


def body_of(outcome: AnyOutcome) -> dict[str, Any]:
    decoded: dict[str, Any] = orjson.loads(webhook_event(outcome, {1: "ethereum"}.get).body())
    assert decoded.keys() == {"type", "timestamp", "data"}
    assert decoded["data"].keys() == FIELDS
    return decoded


@given(values_of(TransactionSigned))
def test_a_signed_transaction_has_its_hash_and_never_its_bytes(outcome: TransactionSigned) -> None:
    body = body_of(outcome)
    data = body["data"]
    assert body["type"] == "agent.transaction.signed"
    assert (data["id"], data["agent_id"]) == (outcome.intent, outcome.agent)
    assert (data["tx_hash"], data["from"].lower()) == (outcome.transaction_hash, outcome.sender)
    assert (data["to"] and data["to"].lower(), data["value_wei"]) == (
        outcome.to,
        str(outcome.value_wei),
    )
    assert data["status"] == "signed"
    if outcome.raw_transaction and len(outcome.raw_transaction) > 64:
        assert outcome.raw_transaction not in str(body)


@given(values_of(MessageSigned))
def test_a_signed_message_has_its_kind_and_never_its_signature(outcome: MessageSigned) -> None:
    body = body_of(outcome)
    assert body["type"] == "agent.message.signed"
    data = body["data"]
    assert (data["intent_type"], data["from"].lower()) == (outcome.kind, outcome.sender)
    assert data["message_hash"] == outcome.signed_digest
    if outcome.message_signature and len(outcome.message_signature) > 64:
        assert outcome.message_signature not in str(body)


@given(values_of(IntentRejected))
def test_a_refusal_has_its_reason_and_detail(outcome: IntentRejected) -> None:
    body = body_of(outcome)
    transaction = outcome.kind is None
    assert body["type"] == f"agent.{'transaction' if transaction else 'message'}.refused"
    data = body["data"]
    assert (data["reason"], data["detail"]) == (outcome.reason, outcome.detail)
    simulated = outcome.reason in (Reason.SIMULATION_REVERTED, Reason.SIMULATION_FAILED)
    assert data["status"] == ("simulation_failed" if simulated else "refused")
    assert data["tx_hash"] is None


@given(values_of(TransactionSigned))
def test_an_outcome_has_the_same_id_and_bytes_every_time(outcome: TransactionSigned) -> None:
    first, second = (webhook_event(one, lambda _: None) for one in (outcome, outcome.model_copy()))
    assert (first.id, first.body()) == (second.id, second.body())
    assert first.id == f"evt_{outcome.id[2:]}"


@pytest.mark.parametrize("name", EVENT_NAMES)
def test_a_documented_event_name_is_accepted(name: str) -> None:
    assert require_event_names([name, name]) == (name,)


def test_the_page_lists_every_event_name() -> None:
    rows = re.findall(r"^\| `([a-z.]+|\*)` \|", (DOCS / "webhooks.md").read_text(), re.MULTILINE)
    assert set(rows) == set(EVENT_NAMES)


@pytest.mark.parametrize("names", [[], ["agent.transaction.mined"], ["*", ""], ["AGENT.*"]])
def test_an_unknown_event_name_is_refused(names: list[str]) -> None:
    with pytest.raises(WebhookInvalidError, match=r"agent\.transaction\.signed") as refusal:
        require_event_names(names)
    assert refusal.value.field == "events"
