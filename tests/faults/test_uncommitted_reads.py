"""A reader of uncommitted records sees no signature whose charge is not committed.

The signer is killed before and after every request of both its transactions, the one that charges
and the one that publishes. While it is dead, the topics are compared.
"""

import itertools
from collections import defaultdict
from contextlib import closing
from functools import partial
from typing import Any

import orjson

from schemas.record import Outgoing
from schemas.topics import Topic
from tests.harness.broker.kafka_proxy import Api, KafkaProxy, Point, When
from tests.harness.judge.promises import check
from tests.harness.pipeline.embedded import ACCOUNT, Producer
from tests.harness.pipeline.scaled import Scaled, all_ended, on_kafka, raw_records

POINTS = [Point(*place) for place in itertools.product((1, 2), Api, When)]
INTENTS = 3
HINTS_AND_MAC_BYTES = 9 + 32
NOT_PINNED = ("raw_transaction", "transaction_hash", "signature")
Json = dict[str, Any]


def signatures(scaled: Scaled, isolation: str) -> dict[str, Json]:
    """Return every event with a signed transaction on the signer's topics, by intent."""
    values = on_kafka(scaled.broker, isolation)
    events = [
        orjson.loads(raw) for topic in (Topic.OUTCOMES, Topic.SIGNED) for raw in values(topic)
    ]
    return {event["intent"]: event for event in events if "raw_transaction" in event}


def charges(scaled: Scaled) -> dict[str, Json]:
    """Return every outcome that the committed state ever pinned, by intent."""
    found = {}
    for _, key, value in raw_records(scaled.broker, Topic.STATE):
        if key and key.split(b"\x00")[1] == b"live" and value:
            live = orjson.loads(value[HINTS_AND_MAC_BYTES:])
            if "pinned" in live:
                found[live["intent"]] = live["pinned"]
    return found


def check_charged(scaled: Scaled, made: dict[str, set[str]]) -> int:
    """Assert that every visible signature is charged; return how many are not yet committed."""
    seen, charged = signatures(scaled, "read_uncommitted"), charges(scaled)
    for intent, event in seen.items():
        unsigned = {name: value for name, value in event.items() if name not in NOT_PINNED}
        assert unsigned == charged.get(intent), "a signature is to be seen, and no charge"
        made[intent].add(event["raw_transaction"])
    for raw in on_kafka(scaled.broker, "read_uncommitted")(Topic.STATE):
        assert b"raw_transaction" not in raw
    return len(seen.keys() - signatures(scaled, "read_committed").keys())


def submit(scaled: Scaled, trader: Producer, number: int) -> None:
    """Submit good intents only: rejections are published with the charges, in one transaction."""
    values = [trader.signed(f"{number}-{n}") for n in range(INTENTS)]
    scaled.send([Outgoing(Topic.SUBMITTED, ACCOUNT, value) for value in values])


def test_no_signature_is_visible_before_its_charge_is_committed(
    scaled: Scaled, trader: Producer
) -> None:
    made: dict[str, set[str]] = defaultdict(set)
    uncommitted = 0
    with closing(KafkaProxy(int(scaled.servers.rpartition(":")[2]))) as proxy:
        scaled.doors["signer"] = f"127.0.0.1:{proxy.port}"
        scaled.start_all()
        for number, point in enumerate(POINTS):
            proxy.arm(point, partial(scaled.kill, "signer"))
            submit(scaled, trader, number)
            proxy.await_reached()
            uncommitted += check_charged(scaled, made)
            scaled.start("signer")
            scaled.settle(all_ended)
        check_charged(scaled, made)
        scaled.stop_all()
    found = check(on_kafka(scaled.broker), settled=True)
    assert len(found.signed) == len(made) == INTENTS * len(POINTS)
    assert all(len(different) == 1 for different in made.values()), "signed twice, differently"
    assert uncommitted, "nothing uncommitted was ever there to be seen"
