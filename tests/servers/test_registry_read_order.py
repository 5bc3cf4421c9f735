"""A record registered before an intent is known when the intent is decided, at any volume."""

import secrets
from pathlib import Path

import orjson
import pytest

from schemas.record import Outgoing, Record
from schemas.registry.records import AccountOpened, Entry
from schemas.topics import Topic
from signer.custody.event_signing import Ed25519Signer
from sixgate.authoring.operator import record_envelope
from sixgate.data_folder.folder import Folder
from streams.log.sqlite import SqliteLog
from streams.runners.embedded import RECORDS_PER_PARTITION_MAX
from tests.harness.pipeline.embedded import (
    ACCOUNT,
    KEY_PATH,
    Pipeline,
    Producer,
    agent_entry,
    key_order,
    make_folder,
    open_pipeline,
)

FLOOD = [b"nobody signed this"] * (2 * RECORDS_PER_PARTITION_MAX)


@pytest.fixture
def late() -> Producer:
    return Producer(Ed25519Signer("late", secrets.token_bytes(32)))


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    trader = Ed25519Signer("trader", secrets.token_bytes(32))
    opened = open_pipeline(make_folder(tmp_path / "data", [trader]))
    opened.drain()
    return opened


def registered(pipeline: Pipeline, entry: Entry) -> bytes:
    registry = pipeline.runner.slot.registry
    chained = (registry.record_count, registry.last_digest)
    return record_envelope(pipeline.folder.admin(), "acme", chained, entry, 0)[0]


def key_request(folder: Folder, account: str, path: str) -> bytes:
    return key_order(folder, account=account, path=path).value


def append(pipeline: Pipeline, topic: Topic, *values: bytes, key: str = "") -> None:
    pipeline.inbox.append([Outgoing(topic, key, value) for value in values], 0)


def ends(pipeline: Pipeline) -> list[str]:
    outcomes = [
        e.value for e in pipeline.drain() if e.topic in (Topic.OUTCOMES, Topic.UNATTRIBUTED)
    ]
    return [orjson.loads(value).get("reason", "signed") for value in outcomes]


def test_an_agent_registered_after_a_flood_is_known_to_a_later_intent(
    pipeline: Pipeline, late: Producer
) -> None:
    append(pipeline, Topic.REGISTRY, *FLOOD, registered(pipeline, agent_entry(late.signer)))
    pipeline.submit(late.signed("a"))
    assert ends(pipeline) == ["signed"]


def test_a_key_ordered_after_a_flood_exists_for_a_later_intent(
    pipeline: Pipeline, late: Producer
) -> None:
    paths = (KEY_PATH, "keys/second")
    agent = agent_entry(late.signer, key_paths=paths)
    append(pipeline, Topic.REGISTRY, registered(pipeline, agent))
    order = key_request(pipeline.folder, ACCOUNT, paths[1])
    append(pipeline, Topic.KEY_REQUESTS, *FLOOD, order, key=ACCOUNT)
    pipeline.submit(late.signed("a", key_path=paths[1]))
    assert ends(pipeline) == ["signed"]


@pytest.mark.parametrize("topic", [Topic.REGISTRY, Topic.KEY_REQUESTS, Topic.SUBMITTED])
def test_a_flood_is_read_in_bounded_batches_to_its_end(pipeline: Pipeline, topic: Topic) -> None:
    append(pipeline, topic, *FLOOD, key="" if topic is Topic.REGISTRY else ACCOUNT)
    counts = []
    while count := pipeline.runner.step():
        counts.append(count)
    assert counts == [RECORDS_PER_PARTITION_MAX] * 2


class BusyInbox(SqliteLog):
    """An inbox in which an account is opened and a key ordered just after the first read."""

    def surprise(self, after: Topic, *events: Outgoing) -> None:
        self._after, self._events = after, events

    def read(self, topic: Topic, partition: int, offset: int, count_max: int) -> list[Record]:
        found = super().read(topic, partition, offset, count_max)
        if topic is self._after and self._events:
            events, self._events = self._events, ()
            self.append(events, 0)
        return found


@pytest.mark.parametrize("after", [Topic.REGISTRY, Topic.KEY_REQUESTS, Topic.SUBMITTED])
def test_an_intent_appended_during_a_read_is_not_decided_before_its_records(
    pipeline: Pipeline, after: Topic
) -> None:
    inbox = BusyInbox(pipeline.folder.inbox, pipeline.folder.trust().partitions)
    inbox.surprise(
        after,
        Outgoing(Topic.REGISTRY, "", registered(pipeline, AccountOpened(account="ops"))),
        Outgoing(Topic.KEY_REQUESTS, "ops", key_request(pipeline.folder, "ops", KEY_PATH)),
    )
    pipeline.runner.inbox = inbox
    pipeline.runner.step()
    pipeline.drain()
    assert pipeline.runner.slot.vault.keys.find("ops", KEY_PATH)
