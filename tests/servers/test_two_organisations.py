"""Two organisations on one cluster: each prefix has its own pipeline, isolated from the other.

Both have the same name, so that without prefixes every topic, group and transactional id would be
the same.
"""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from schemas.record import Outgoing
from schemas.topics import Topic
from signer.custody.event_signing import Ed25519Signer
from tests.harness.broker.shared import own_names, shared_kafka
from tests.harness.judge.promises import check
from tests.harness.pipeline.embedded import ACCOUNT, Producer
from tests.harness.pipeline.ledger_wait import await_ledger
from tests.harness.pipeline.scaled import Scaled, all_ended, on_kafka, organisation_on

PREFIXES = ("north.", "south.eu-")
INTENTS = 8


@dataclass
class Member:
    """One of the two organisations, and its agent."""

    scaled: Scaled
    trader: Producer

    def submit(self, name: str) -> None:
        values = [self.trader.signed(f"{name}-{n}") for n in range(INTENTS)]
        self.scaled.send([Outgoing(Topic.SUBMITTED, ACCOUNT, value) for value in values])

    def has_signed(self, count: int) -> bool:
        found = self.scaled.settle(lambda found: len(found.intents) == count and all_ended(found))
        return len(found.signed) == count


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Member]]:
    kafka = shared_kafka()
    with ExitStack() as opened:
        names = opened.enter_context(own_names(kafka))
        found = []
        for prefix in PREFIXES:
            trader = Producer(Ed25519Signer("trader", secrets.token_bytes(32)))
            path = tmp_path_factory.mktemp("organisation")
            here = organisation_on(kafka, path, [trader.signer], prefix=names.prefix + prefix)
            found.append(Member(opened.enter_context(here), trader))
        for member in found:
            for name in member.scaled.names:
                member.scaled.start(name)
        for member in found:
            for name in member.scaled.names:
                member.scaled.await_ready(name)
        yield found


def test_both_sign_at_the_same_time_and_neither_fences_the_other(members: list[Member]) -> None:
    for member in members:
        member.submit("first")
    for member in members:
        assert member.has_signed(INTENTS)
    one, other = members
    one.scaled.stop("signer")
    # With the same transactional id this would fence the other signer.
    one.scaled.start("signer")
    one.scaled.await_ready("signer")
    for member in members:
        member.submit("second")
    for member in members:
        assert member.has_signed(2 * INTENTS)
        assert all(process.poll() is None for process in member.scaled.processes.values())
    ours = {outcome["intent"] for outcome in one.scaled.contents().outcomes}
    assert ours.isdisjoint(outcome["intent"] for outcome in other.scaled.contents().outcomes)


def test_both_ledgers_verify_and_name_topics_without_a_prefix(members: list[Member]) -> None:
    for member in members:
        judge = await_ledger(member.scaled)
        judge.judge()
        assert {record.topic for record in judge.records()} <= set(Topic)
        check(on_kafka(member.scaled.broker), settled=True)


def test_metrics_name_topics_without_a_prefix(members: list[Member]) -> None:
    for member in members:
        lags = member.scaled.metrics("gates")["sixgate_lag_records"]
        assert {place.split("/")[0] for (place,) in lags} <= set(Topic)
