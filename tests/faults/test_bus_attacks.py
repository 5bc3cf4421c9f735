"""Attacks on signer and gates by a writer with access to every topic, on a real broker.

``tests/harness/sizes.py`` sets the number of messages; ``pytest -s`` shows the progress.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Iterable

import orjson

from schemas.partition import partition_of
from schemas.record import Outgoing
from schemas.registry.policy import Policy
from schemas.registry.records import AccountOpened, PolicySet
from schemas.topics import Topic
from signer.custody.event_signing import Ed25519Signer
from tests.harness.broker.hostile_records import OTHER_ACCOUNT, OTHER_KEY_PATH, Attacker, Message
from tests.harness.judge.promises import Values, check, proven, read_registered
from tests.harness.pipeline.embedded import ACCOUNT, POLICY, Producer, key_order
from tests.harness.pipeline.ledger_wait import await_ledger
from tests.harness.pipeline.scaled import Scaled, on_kafka
from tests.harness.sizes import BUS_MESSAGES, show

IN_FLIGHT = 1_000
BRIEF_MS = 60_000
SIGNED = {"brief": 1, "honest": 50, "good": 20, "flipped": 5, "unpriced": 5}
NO_BOUNDS = Policy(
    tx_to_allowlist="any",
    tx_max_value_eth="unlimited",
    tx_daily_limit_eth="unlimited",
    tx_allowed_chains="any",
    intents_per_minute="unlimited",
)


async def send(scaled: Scaled, messages: Iterable[Message]) -> Counter[Topic]:
    """Send raw messages; return their number per topic."""
    partitions = scaled.folder.trust().partitions
    producer, name = scaled.broker.producer(), scaled.broker.names.of
    await producer.start()
    sent: Counter[Topic] = Counter()
    waiting = []
    try:
        for topic, key, value, partition in messages:
            own = partition_of(key.decode(), partitions) if partition is None else partition
            waiting.append(await producer.send(name(topic), value, key, own))
            sent[topic] += 1
            if len(waiting) == IN_FLIGHT:
                await asyncio.gather(*waiting)
                waiting.clear()
                show(sent.total(), BUS_MESSAGES, "messages")
        await asyncio.gather(*waiting)
    finally:
        await producer.stop()
    return sent


def prepare(scaled: Scaled, trader: Producer) -> Attacker:
    """Return an attacker who has read every topic, with an old policy and an expired intent."""
    brief = trader.signed("brief", expires_at_ms=trader.now_ms() + BRIEF_MS)
    scaled.send([Outgoing(Topic.SUBMITTED, ACCOUNT, brief)])
    scaled.register(AccountOpened(account=OTHER_ACCOUNT))
    order_key(scaled)
    scaled.register(PolicySet(policy_id="standard", policy=NO_BOUNDS))
    old_policy = on_kafka(scaled.broker)(Topic.REGISTRY)[-1]
    scaled.register(PolicySet(policy_id="standard", policy=POLICY))
    scaled.settle(lambda found: len(found.outcomes) == 1)
    forger = Producer(Ed25519Signer("trader", secrets.token_bytes(32)))
    return Attacker(trader, forger, old_policy, (brief,))


def order_key(scaled: Scaled) -> None:
    """Order a key for the other account, as its operators would."""
    scaled.send([key_order(scaled.folder, account=OTHER_ACCOUNT, path=OTHER_KEY_PATH)])


def as_readers_see(values: Values, envelopes: list[bytes]) -> Values:
    """Ignore outcomes that no signer signed, as every reader does.

    Stolen intents count as submitted: the agent did sign them.
    """

    def seen(topic: str) -> list[bytes]:
        found = values(topic)
        if topic == Topic.OUTCOMES:
            registered = read_registered(values)
            events = [(raw, orjson.loads(raw)) for raw in found]
            return [raw for raw, event in events if proven(event, event["signer"], registered)]
        return found + (envelopes if topic == Topic.SUBMITTED else [])

    return seen


def audits(values: Values) -> Counter[str]:
    """Count the signer's audit records by action, each source once.

    A key use is an access record of the agent, which only the signer writes.
    """
    events = {event["id"]: event for event in map(orjson.loads, values(Topic.AUDIT))}
    by_signer = [e for e in events.values() if e["actor"].startswith("signer") or "action" not in e]
    return Counter(e.get("action", e["type"]) for e in by_signer)


def every_record_ended(values: Values, sent: Counter[Topic]) -> bool:
    """Return whether each of the signer's input records has one outcome or one audit record."""
    found = audits(values)
    ends = len(values(Topic.OUTCOMES)) + found["record.refused"] + found["intent.duplicate"]
    registered = found["registry.refused"] == sent[Topic.REGISTRY]
    return ends == len(values(Topic.DECIDED)) and registered


def test_no_record_on_any_topic_gets_a_signature_against_policy(
    scaled_with_ledger: Scaled, trader: Producer
) -> None:
    scaled = scaled_with_ledger
    scaled.start_all()
    attacker = prepare(scaled, trader)
    honest = [trader.signed(f"honest-{n}") for n in range(50)]
    scaled.send([Outgoing(Topic.SUBMITTED, ACCOUNT, value) for value in honest[:25]])
    sent = asyncio.run(send(scaled, attacker.messages(BUS_MESSAGES)))
    scaled.send([Outgoing(Topic.SUBMITTED, ACCOUNT, value) for value in honest[25:]])

    values = as_readers_see(on_kafka(scaled.broker), attacker.authentic)
    scaled.await_caught_up("gates", "signer", "ledger")
    scaled.settle(lambda _: every_record_ended(values, sent))
    found = check(values, settled=False)
    assert Counter(s["idempotency_key"].partition("-")[0] for s in found.signed) == SIGNED
    assert {signed["max_fee_per_gas_wei"] for signed in found.signed} == {str(10**9)}
    assert found.strangers_ended()
    counted = {action: n for (action,), n in audit_metrics(scaled).items()}
    assert counted == audits(values)
    await_ledger(scaled).judge()


def audit_metrics(scaled: Scaled) -> dict[tuple[str, ...], float]:
    return scaled.metrics("signer")["sixgate_audit_records_total"]
