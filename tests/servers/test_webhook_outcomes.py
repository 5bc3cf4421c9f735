"""Webhooks over a node: outcomes of its log reach receivers."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import orjson
import pytest
from standardwebhooks.webhooks import Webhook

from schemas.record import Outgoing
from schemas.topics import Topic
from sixgate.data_folder.folder import Folder
from sixgate.gateway.database import Database
from sixgate.gateway.outcome_order import OutcomeOrder
from sixgate.services.embedded.http_api import EmbeddedApiSettings
from sixgate.services.embedded.node import Node, running
from sixgate.webhooks import delivery
from sixgate.webhooks.ordered_outcomes import OrderedOutcomes
from sixgate.webhooks.running import running_webhooks
from sixgate.webhooks.service import Webhooks
from tests.harness.builders.waiting import until
from tests.harness.pipeline.embedded import ACCOUNT, Producer
from tests.harness.pipeline.embedded_fixtures import submitted
from tests.harness.webhooks.receiver import ACCEPTED, always, receiving

URL = "https://example.com/hook"
PERSON = "user:owner"


def test_outcomes_reach_a_receiver_with_a_verified_signature(
    folder: Folder, trader: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIXGATE_WEBHOOKS__ALLOWED_NETWORKS", '["127.0.0.1/32"]')
    with running(folder) as node, receiving(always(ACCEPTED)) as receiver:
        sign(node, trader, "before")
        with webhooks_of(folder, node) as webhooks:
            created, secret = webhooks.create(receiver.url(), ["*"], None, PERSON)
            sign(node, trader, "a")
            sign(node, trader, "b", value_wei=10**30)
            until(lambda: len(receiver.received) == 2)
            until(lambda: webhooks.get(created.id).failures == 0)
            until(lambda: webhooks.get(created.id).position == 3)
            sign(node, trader, "c")
            until(lambda: len(receiver.received) == 3)
            webhooks.replay(created.id, 0)
            until(lambda: len(receiver.received) == 7)
    assert secret is not None
    bodies = [
        Webhook(secret).verify(request.body, request.headers) for request in receiver.received
    ]
    kinds = [body["type"].removeprefix("agent.transaction.") for body in bodies]
    assert kinds == ["signed", "refused", "signed", "signed", "signed", "refused", "signed"]
    assert bodies[4:] == bodies[:3]
    assert bodies[1]["data"]["reason"] == "value_too_high"
    assert bodies[0]["data"]["chain"] == "base"
    assert bodies[0]["data"]["agent_id"] == "trader"
    ids = [request.headers["webhook-id"] for request in receiver.received]
    assert ids[4:] == ids[:3]


def test_a_commit_wakes_the_deliveries_without_a_poll(
    folder: Folder, trader: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "POLL_S", 3600.0)
    monkeypatch.setenv("SIXGATE_WEBHOOKS__ALLOWED_NETWORKS", '["127.0.0.1/32"]')
    with (
        running(folder) as node,
        receiving(always(ACCEPTED)) as receiver,
        webhooks_of(folder, node) as webhooks,
    ):
        webhooks.create(receiver.url(), ["*"], None, PERSON)
        for count in (1, 2, 3):
            sign(node, trader, str(count))
            until(lambda count=count: len(receiver.received) == count)  # type: ignore[misc]


def sign(node: Node, trader: Producer, key: str, **changes: Any) -> None:
    [*_, _end] = node.submit([submitted(trader.signed(key, **changes))], wait=True)


def test_forged_outcomes_are_skipped_and_old_records_are_not_read_again(
    folder: Folder, trader: Producer
) -> None:
    with running(folder) as node, source_of(folder, node) as source:
        assert source.after(0, 10) == []
        sign(node, trader, "a")
        [(number, event)] = source.after(0, 10)
        [outcome] = node.trail(event.data["id"])[-1:]
        forged = outcome["event"] | {"agent": "someone"}
        garbage = Outgoing(Topic.OUTCOMES, ACCOUNT, b"{}")
        false = Outgoing(Topic.OUTCOMES, ACCOUNT, orjson.dumps(forged, option=orjson.OPT_SORT_KEYS))
        with node.pipeline.lock:
            node.pipeline.parts.runner.pipeline.append([garbage, false, garbage], 0)
        assert source.after(number, 1) == []
        assert source.after(0, 1) == [(number, event)]
        for offset in (number, source.end(), 0, number):
            expected = [(number, event)] if offset == 0 else []
            assert source.after(offset, 2) == expected


def test_webhooks_survive_a_restart_of_the_node(folder: Folder) -> None:
    with running(folder) as node, webhooks_of(folder, node) as webhooks:
        created, _ = webhooks.create(URL, ["*"], None, PERSON)
    assert folder.webhooks.stat().st_mode & 0o777 == 0o600
    with running(folder) as node, webhooks_of(folder, node) as webhooks:
        assert webhooks.list() == [created]


@contextmanager
def source_of(folder: Folder, node: Node) -> Iterator[OrderedOutcomes]:
    read = node.backend.read
    with closing(Database(folder.gateway)) as database, read.feed() as feed:
        order = OutcomeOrder(database, feed.identity())
        yield OrderedOutcomes(feed, order, read)


@contextmanager
def webhooks_of(folder: Folder, node: Node) -> Iterator[Webhooks]:
    read, settings = node.backend.read, EmbeddedApiSettings().webhooks
    with (
        closing(Database(folder.gateway)) as database,
        running_webhooks(folder.webhooks, database, read, settings) as webhooks,
    ):
        yield webhooks
