"""The metrics of the processes, compared with the events on the topics."""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from schemas.dsse import Envelope
from schemas.intents.clearance import Clearance
from schemas.intents.intent import intent_digest
from schemas.record import Outgoing
from schemas.topics import TOPICS, Topic
from signer.custody.event_signing import Ed25519Signer
from signer.stage.freshness import HEAD_SKEW_MS_MAX
from streams.simulators.breaker import State
from tests.harness.judge.promises import Json, check
from tests.harness.pipeline.embedded import ACCOUNT, STRANGER, Producer
from tests.harness.pipeline.scaled import COMMANDS, Scaled, all_ended, on_kafka, organisation

IDLE_S_MAX = 60
INTENT_S_MAX = 60


@pytest.fixture(scope="module")
def trader() -> Producer:
    return Producer(Ed25519Signer("trader", secrets.token_bytes(32)))


@pytest.fixture(scope="module")
def scaled(tmp_path_factory: pytest.TempPathFactory, trader: Producer) -> Iterator[Scaled]:
    with organisation(tmp_path_factory.mktemp("metrics"), [trader.signer]) as scaled:
        for name in COMMANDS:
            scaled.start(name)
        for name in COMMANDS:
            scaled.await_ready(name)
        yield scaled


def test_metrics_equal_the_decisions_times_and_rows(scaled: Scaled, trader: Producer) -> None:
    unseen = trader.signed("unseen")
    scaled.send([Outgoing(Topic.DECIDED, ACCOUNT, without_verdicts(unseen))])
    scaled.settle(lambda found: len(found.outcomes) == 1)
    forged = Producer(Ed25519Signer("trader", secrets.token_bytes(32))).signed("forged")
    good = [trader.signed(f"good-{n}") for n in range(5)]
    values = [unseen, *good, good[0], trader.signed("no", to=STRANGER), forged, b"garbage", b"x"]
    scaled.send([Outgoing(Topic.SUBMITTED, ACCOUNT, value) for value in values])
    scaled.settle(all_ended)
    found = check(on_kafka(scaled.broker), settled=True)
    signer, gates = scaled.metrics("signer"), scaled.metrics("gates")
    assert signer["sixgate_decisions_total"] == by_reason(found.outcomes)
    assert gates["sixgate_decisions_total"] == by_reason(found.unattributed)
    assert signer["sixgate_end_to_end_seconds_count"] == {(): 6}
    assert 0 < signer["sixgate_end_to_end_seconds_sum"][()] < 6 * INTENT_S_MAX
    assert "sixgate_end_to_end_seconds_count" not in gates
    assert gates["sixgate_simulation_breaker"] == {(): State.CLOSED}
    assert "sixgate_simulation_breaker" not in signer
    for name in ("registrar", "gates", "signer"):
        age_s = scaled.metrics(name)["sixgate_registry_head_age_seconds"][()]
        assert -1 < age_s < HEAD_SKEW_MS_MAX / 1000
    await_idle(scaled)
    assert scaled.server is not None
    assert scaled.metrics("ledger")["sixgate_ledger_rows_total"] == {(): record_count(scaled)}


def test_transaction_markers_do_not_count_as_lag(scaled: Scaled, trader: Producer) -> None:
    """Markers take offsets but are never delivered; counted as lag they would look like a stall."""
    broker, value = scaled.broker, trader.signed("in-transactions")
    topic = broker.names.of(Topic.SUBMITTED)

    async def sent() -> None:
        async with broker.producer(transactional_id="a-producer") as producer:
            for _ in range(3):
                async with producer.transaction():
                    await producer.send(topic, value, key=ACCOUNT.encode())

    asyncio.run(sent())
    scaled.settle(all_ended)
    await_idle(scaled)
    for name in COMMANDS:
        shown = scaled.metrics(name)
        assert set(shown["sixgate_stalled_seconds"]) == {()}
        assert shown["sixgate_ready"] == {(): 1}
        assert shown["sixgate_lag_records"], name


def await_idle(scaled: Scaled) -> None:
    """Wait until no process reports lag."""
    ends_at_s = time.monotonic() + IDLE_S_MAX
    while waiting := {
        (name, metric, *place): value
        for name in COMMANDS
        for metric, values in scaled.metrics(name).items()
        if metric in ("sixgate_lag_records", "sixgate_stalled_seconds")
        for place, value in values.items()
        if value
    }:
        assert time.monotonic() < ends_at_s, waiting
        time.sleep(0.2)


def record_count(scaled: Scaled) -> int:
    """Return the number of records on the ledger's topics."""
    kept = (topic for topic, spec in TOPICS.items() if spec.in_ledger)
    return sum(len(on_kafka(scaled.broker)(topic)) for topic in kept)


def by_reason(events: list[Json]) -> dict[tuple[str, str], float]:
    return dict(Counter((event.get("reason", ""), event["type"]) for event in events))


def without_verdicts(envelope: bytes) -> bytes:
    """Return a clearance that no gate has seen, as a writer to every topic can make."""
    opened = Envelope.decode(envelope)
    name = intent_digest(opened.body())
    return Clearance(id=name, intent=name, envelope=opened, verdicts=()).encode()
