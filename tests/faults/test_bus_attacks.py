"""A writer with access to every topic, against the signer and the gates, on a real broker.

``SIXGATE_BUS_MESSAGES`` sets how many messages, 100,000 in CI.
"""

import asyncio
import os
import secrets
from collections import Counter
from collections.abc import Iterable

import orjson

from schemas.partition import partition_of
from schemas.record import Outgoing
from schemas.topics import Topic
from signer.signatures import Ed25519Signer
from tests.support.bus import Attacker, Message
from tests.support.embedded import ACCOUNT, Producer
from tests.support.outside import Values, check
from tests.support.scaled import Scaled, on_kafka

MESSAGES = int(os.environ.get("SIXGATE_BUS_MESSAGES", "100000"))
IN_FLIGHT = 1_000


async def send(scaled: Scaled, messages: Iterable[Message]) -> Counter[Topic]:
    """Send messages as they are; return how many went to each topic."""
    partitions = scaled.folder.trust().partitions
    producer = scaled.broker.producer()
    await producer.start()
    sent: Counter[Topic] = Counter()
    waiting = []
    try:
        for topic, key, value, partition in messages:
            own = partition_of(key.decode(), partitions) if partition is None else partition
            waiting.append(await producer.send(topic.value, value, key, own))
            sent[topic] += 1
            if len(waiting) == IN_FLIGHT:
                await asyncio.gather(*waiting)
                waiting.clear()
        await asyncio.gather(*waiting)
    finally:
        await producer.stop()
    return sent


def with_all_that_was_signed(values: Values, envelopes: list[bytes]) -> Values:
    """Count what an attacker took from the agent as submitted: the agent did sign it."""

    def wider(topic: str) -> list[bytes]:
        return values(topic) + (envelopes if topic == Topic.SUBMITTED else [])

    return wider


def test_whatever_is_written_to_any_topic_nothing_is_signed_against_policy(
    scaled: Scaled, trader: Producer
) -> None:
    attacker = Attacker(trader, Producer(Ed25519Signer("trader", secrets.token_bytes(32))))
    for name in ("signer", "gates"):
        scaled.start(name)
    honest = [trader.signed(f"honest-{n}") for n in range(50)]
    scaled.send([Outgoing(Topic.SUBMITTED, ACCOUNT, value) for value in honest[:25]])
    asyncio.run(send(scaled, attacker.messages(MESSAGES)))
    scaled.send([Outgoing(Topic.SUBMITTED, ACCOUNT, value) for value in honest[25:]])

    values = with_all_that_was_signed(on_kafka(scaled.servers), attacker.authentic)
    scaled.settle(lambda _: every_record_ended(values))
    found = check(values, settled=False)
    ended = {outcome["idempotency_key"]: outcome for outcome in found.outcomes}
    assert all(ended[f"honest-{n}"]["type"] == "transaction.signed" for n in range(50))
    assert sum(key.startswith("good-") for key in ended) == 20
    assert len(found.signed) == 70


def every_record_ended(values: Values) -> bool:
    """Tell whether each record before the signer has its one outcome or one audit record."""
    decided = len(values(Topic.DECIDED))
    audited = {
        event["id"]
        for event in map(orjson.loads, values(Topic.AUDIT))
        if event["actor"].startswith("signer")
    }
    return len(values(Topic.OUTCOMES)) + len(audited) == decided
