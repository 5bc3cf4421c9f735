"""Webhooks over a node: outcomes of its log reach receivers."""

from contextlib import closing
from typing import Any

import orjson
import pytest
from standardwebhooks.webhooks import Webhook

from schemas.record import Outgoing
from schemas.topics import Topic
from sixgate.data_folder.folder import Folder
from sixgate.embedded.node import Node, running
from sixgate.embedded.webhooks import LoggedOutcomes, running_webhooks
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
        with running_webhooks(folder, node) as webhooks:
            created, secret = webhooks.create(receiver.url(), ["*"], None, PERSON)
            sign(node, trader, "a")
            sign(node, trader, "b", value_wei=10**30)
            until(lambda: len(receiver.received) == 2)
            until(lambda: webhooks.get(created.id).failures == 0)
            until(lambda: _offset(webhooks.get(created.id).position, node))
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


def _offset(position: int, node: Node) -> bool:
    with closing(node.pipeline.parts.reader()) as log:
        rows = log.outcomes_between(0, log.last_position(), 100)
    return position == rows[-1][0]


def sign(node: Node, trader: Producer, key: str, **changes: Any) -> None:
    [*_, _end] = node.submit([submitted(trader.signed(key, **changes))], wait=True)


def test_forged_outcomes_are_skipped_and_old_records_are_not_read_again(
    folder: Folder, trader: Producer
) -> None:
    with running(folder) as node, closing(node.pipeline.parts.reader()) as log:
        source = LoggedOutcomes(log, node.stage.registry)
        assert source.after(0, 10) == []
        sign(node, trader, "a")
        [(position, event)] = source.after(0, 10)
        [(_, raw)] = log.outcomes_between(0, source.end(), 10)
        forged = orjson.loads(raw) | {"agent": "someone"}
        garbage = Outgoing(Topic.OUTCOMES, ACCOUNT, b"{}")
        false = Outgoing(Topic.OUTCOMES, ACCOUNT, orjson.dumps(forged, option=orjson.OPT_SORT_KEYS))
        with node.pipeline.lock:
            node.pipeline.parts.runner.pipeline.append([garbage, false, garbage], 0)
        assert source.after(position, 1) == []
        assert source.after(0, 1) == [(position, event)]
        for offset in (position, source.end(), 0, position):
            expected = [(position, event)] if offset == 0 else []
            assert source.after(offset, 2) == expected


def test_webhooks_survive_a_restart_of_the_node(folder: Folder) -> None:
    with running(folder) as node, running_webhooks(folder, node) as webhooks:
        created, _ = webhooks.create(URL, ["*"], None, PERSON)
    assert folder.webhooks.stat().st_mode & 0o777 == 0o600
    with running(folder) as node, running_webhooks(folder, node) as webhooks:
        assert webhooks.list() == [created]
