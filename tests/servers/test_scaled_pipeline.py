"""The pipeline on Kafka: gates and signer as processes, checked with other libraries."""

import asyncio
import json
import secrets
import signal

from schemas.partition import partition_of
from schemas.record import Outgoing, Record
from schemas.topics import Topic
from signer.custody.event_signing import Ed25519Signer
from sixgate.cli.exit_codes import ExitCode
from sixgate.clocks import wall_ms
from streams.gates.pipelining import InFlight
from streams.gates.stages import GATE_OF
from streams.kafka.producer import Sender
from streams.kafka.projections import Projections
from streams.runners.faust import GateRunner
from tests.harness.broker.hostile_records import cleared
from tests.harness.judge.promises import TopicContents, check
from tests.harness.pipeline.embedded import ACCOUNT, STRANGER, Producer, agent_entry
from tests.harness.pipeline.scaled import SETTLE_S_MAX, Scaled, all_ended, on_kafka

DAILY_WEI, VALUE_WEI = 5 * 10**18, 25 * 10**16


def submit(scaled: Scaled, *values: bytes, key: str = ACCOUNT) -> None:
    scaled.send([Outgoing(Topic.SUBMITTED, key, value) for value in values])


def events(scaled: Scaled, name: str) -> list[str]:
    """Return the events that a process logged, without its libraries' lines."""
    lines = [json.loads(line) for line in scaled.log(name).splitlines() if line.startswith("{")]
    return [line["event"] for line in lines if line["event"] != "library.message"]


def reasons(found: TopicContents) -> list[str]:
    return [outcome.get("reason", "signed") for outcome in found.outcomes]


def test_good_intents_are_signed_and_every_other_input_ends(
    scaled: Scaled, trader: Producer
) -> None:
    good = trader.signed("good")
    forged = Producer(Ed25519Signer("trader", secrets.token_bytes(32))).signed("forged")
    submit(scaled, good, trader.signed("no", to=STRANGER), forged, b"garbage", good)
    for name in ("signer", "gates"):
        scaled.start(name)
    scaled.settle(all_ended)
    found = check(on_kafka(scaled.broker), settled=True)
    assert sorted(reasons(found)) == ["recipient_not_allowed", "signed"]
    ends = sorted(event["reason"] for event in found.unattributed)
    assert ends == ["malformed", "signature_invalid"]
    for name in ("gates", "signer"):
        scaled.stop(name)
    assert events(scaled, "signer") == [
        "process.started",
        "kafka.unchecked",
        "slot.taken_over",
        "slot.loaded",
        "signer.attested",
        "slot.recovered",
        "process.ready",
        "process.stopping",
        "process.stopped",
    ]
    assert "gates.partitions_assigned" in events(scaled, "gates")
    assert events(scaled, "gates")[-1] == "process.stopped"


def test_a_daily_limit_of_twenty_units_allows_exactly_twenty(
    scaled: Scaled, trader: Producer
) -> None:
    """Two signers of one slot: the older one resumes after the newer one has signed."""
    for name in ("signer", "gates"):
        scaled.start(name)
    submit(scaled, trader.signed("0", value_wei=VALUE_WEI))
    scaled.settle(all_ended)
    zombie = scaled.set_aside("signer")
    zombie.send_signal(signal.SIGSTOP)
    submit(scaled, *(trader.signed(f"{n}", value_wei=VALUE_WEI) for n in range(1, 30)))
    scaled.start("signer")
    scaled.settle(lambda found: len(found.outcomes) == 30)
    zombie.send_signal(signal.SIGCONT)
    assert zombie.wait(SETTLE_S_MAX) == ExitCode.TAKEN_OVER, scaled.log("signer")
    assert "process.fenced" in events(scaled, "signer")
    found = check(on_kafka(scaled.broker), settled=True)
    assert sorted(reasons(found)) == ["daily_limit_exceeded"] * 10 + ["signed"] * 20
    assert sum(int(signed["value_wei"]) for signed in found.signed) == DAILY_WEI


def test_an_agent_registered_a_moment_ago_is_known_everywhere(
    scaled: Scaled, trader: Producer
) -> None:
    """Gates and signer read the registry to its end before they reject an unknown agent."""
    for name in ("signer", "gates"):
        scaled.start(name)
    submit(scaled, trader.signed("first"))
    scaled.settle(all_ended)
    late = Producer(Ed25519Signer("late", secrets.token_bytes(32)))
    scaled.register(agent_entry(late.signer))
    submit(scaled, late.signed("second"))
    found = scaled.settle(lambda found: len(found.outcomes) == 2)
    assert reasons(found) == ["signed", "signed"]


def test_records_that_bypass_the_gates_get_no_signature_against_the_rules(
    scaled: Scaled, trader: Producer
) -> None:
    """A writer to every topic can send clearances to the signer, which decides itself."""
    scaled.start("signer")
    forged = Producer(Ed25519Signer("trader", secrets.token_bytes(32)))
    envelopes = [trader.signed("ok"), trader.signed("no", to=STRANGER), forged.signed("forged")]
    records = [Outgoing(Topic.DECIDED, ACCOUNT, cleared(envelope)) for envelope in envelopes]
    records += [Outgoing(Topic.DECIDED, "other", records[0].value)]
    records += [Outgoing(Topic.DECIDED, ACCOUNT, value) for value in (b"", b"garbage", b"{}")]
    scaled.send([*records, *records])
    found = scaled.settle(lambda found: len(found.outcomes) == 2 and len(scaled.audit()) >= 11)
    assert sorted(reasons(found)) == ["recipient_not_allowed", "signed"]


def test_records_read_by_the_background_reader_are_known(scaled: Scaled) -> None:
    """A background reader follows the registry, so the gate's own read may find nothing new."""
    late = Producer(Ed25519Signer("late", secrets.token_bytes(32)))
    trust, sent = scaled.folder.trust(), list[Outgoing]()
    at = partition_of(ACCOUNT, trust.partitions)
    submitted = Record(Topic.SUBMITTED, at, 0, ACCOUNT, late.signed("first"), 0)

    async def now_ms() -> int:
        return wall_ms()

    async def judge() -> None:
        async with (
            Projections(scaled.broker, trust.trust_root, wall_ms) as known,
            Sender(scaled.broker, lambda: trust.partitions) as sender,
        ):
            hop_by_hop = InFlight(lambda _: False)
            line = GateRunner(known, sender, lambda _: (), now_ms, sent.extend, hop_by_hop)
            await asyncio.to_thread(scaled.register, agent_entry(late.signer))
            judging = line.process(GATE_OF[Topic.SUBMITTED], [submitted])
            await asyncio.gather(known.refresh(), judging)

    asyncio.run(judge())
    assert [event.topic for event in sent] == [Topic.ADMITTED]
