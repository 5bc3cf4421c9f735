"""Wrong clocks, old and forged heads, back-dated records: no limit is passed, no good intent lost.

Real processes on a real broker, each with a wall clock of its own; judged from what the topics say.
"""

import asyncio
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas.canonical import Malformed
from schemas.dsse import REGISTRY_HEAD_TYPE, Envelope
from schemas.heads import RegistryHead
from schemas.record import Outgoing
from schemas.topics import DAY_MS, Topic
from signer.freshness import APART_MS_MAX
from signer.signatures import Ed25519Signer, SignatureWrong, open_envelope
from sixgate.cli.exit_codes import ExitCode
from sixgate.clocks import wall_ms
from sixgate.data_folder.folder import REGISTRAR
from sixgate.data_folder.key_files import load_key_file
from tests.harness.broker.servers import kafka_in, running
from tests.harness.judge.outside import Outside, check
from tests.harness.pipeline.embedded import (
    ACCOUNT,
    POLICY,
    STRANGER,
    Producer,
    agent_entry,
    make_folder,
)
from tests.harness.pipeline.scaled import Scaled, all_ended, on_kafka, organisation, ready

HOUR_S = 3_600
AHEAD = "ahead of.*Nothing was consumed"
CUT = "without its last records.*Nothing was consumed"
JUMPED = "the clock jumped by.*nothing was processed"
UNSAID = "no registrar has signed since.*Nothing was consumed"
END_S_MAX = 120
RATE = 12
MINUTE_MS = 60_000
LIMITED = POLICY.model_copy(update={"intents_per_minute": RATE})
WRITTEN = (Topic.OUTCOMES, Topic.SIGNED, Topic.STATE, Topic.VAULT, Topic.AUDIT)


@pytest.fixture
def scaled(tmp_path: Path, trader: Producer) -> Iterator[Scaled]:
    """Give an organisation whose agent may submit ``RATE`` intents a minute."""
    with running(lambda: kafka_in(tmp_path / "kafka"), tmp_path / "kafka") as kafka:
        folder = make_folder(tmp_path / "data", [trader.signer], LIMITED)
        scaled = Scaled(folder, kafka.address)
        scaled.found()
        yield scaled
        scaled.close()


@pytest.fixture
def with_ledger(tmp_path: Path, trader: Producer) -> Iterator[Scaled]:
    """Give the same organisation a ledger, which is asked for intents that have expired."""
    with organisation(tmp_path, [trader.signer], LIMITED) as scaled:
        yield scaled


def submit(scaled: Scaled, trader: Producer, name: str, count: int = 3, **changes: Any) -> None:
    """Append good intents and one that every rule of the gates would refuse alone."""
    values = [trader.signed(f"{name}-{n}", **changes) for n in range(count)]
    values.append(trader.signed(f"{name}-no", to=STRANGER, **changes))
    scaled.send([Outgoing(Topic.SUBMITTED, ACCOUNT, value) for value in values])


def written(scaled: Scaled) -> dict[Topic, list[bytes]]:
    """Return all that a signer may write, also what it did not commit."""
    values = on_kafka(scaled.servers, "read_uncommitted")
    return {topic: values(topic) for topic in WRITTEN}


def await_end(scaled: Scaled, name: str, why: str) -> None:
    """Wait until a process has halted and said why."""
    process = scaled.processes.pop(name)
    assert process.wait(END_S_MAX) == ExitCode.HALTED, scaled.log(name)
    assert re.search(why, scaled.log(name)), scaled.log(name)


def judged(scaled: Scaled, signed: int, others: Sequence[str]) -> Outside:
    """Wait until every intent has ended; assert how, and promises 2, 3 and 4."""
    scaled.settle(all_ended)
    found = check(on_kafka(scaled.servers), settled=True)
    reasons = sorted(o["reason"] for o in found.outcomes if o["type"] == "intent.rejected")
    assert (len(found.signed), reasons) == (signed, sorted(others))
    return found


def start(scaled: Scaled, *names: str) -> None:
    for name in names:
        scaled.start(name)


def registrar_key(scaled: Scaled) -> Ed25519Signer:
    return load_key_file(scaled.folder.key(REGISTRAR), REGISTRAR)


def last_head(scaled: Scaled) -> RegistryHead:
    """Return the newest head that the registrar made."""
    key = registrar_key(scaled).public_key
    found: list[RegistryHead] = []
    for raw in on_kafka(scaled.servers)(Topic.REGISTRY_HEADS):
        with suppress(Malformed, SignatureWrong):
            body = open_envelope(Envelope.decode(raw), REGISTRY_HEAD_TYPE, key)
            found.append(RegistryHead.decode(body))
    return [head for head in found if head.org == "acme"][-1]


def send_heads(scaled: Scaled, *values: bytes) -> None:
    scaled.send([Outgoing(Topic.REGISTRY_HEADS, REGISTRAR, value) for value in values])


@pytest.mark.parametrize("wrong_s", [HOUR_S, -HOUR_S])
def test_gates_and_signers_whose_clock_is_wrong_halt_and_lose_nothing(
    scaled: Scaled, trader: Producer, wrong_s: int
) -> None:
    start(scaled, "registrar")
    for name in ("gates", "signer"):
        scaled.set_clock(name, wrong_s)
    submit(scaled, trader, "before")
    start(scaled, "gates", "signer")
    for name in ("gates", "signer"):
        await_end(scaled, name, AHEAD)
    assert not any(written(scaled).values())
    for name in ("gates", "signer"):
        scaled.set_clock(name, 0)
    start(scaled, "gates", "signer")
    judged(scaled, 3, ["recipient_not_allowed"])
    _set_clocks_of_running_processes(scaled, trader, wrong_s)


def _set_clocks_of_running_processes(scaled: Scaled, trader: Producer, wrong_s: int) -> None:
    """Set the clocks of processes that have worked, with work before them."""
    for name in ("gates", "signer"):
        scaled.set_clock(name, wrong_s)
    time.sleep(0.5)
    before = written(scaled)
    submit(scaled, trader, "after")
    for name in ("gates", "signer"):
        await_end(scaled, name, f"{JUMPED}|{AHEAD}")
    assert written(scaled) == before
    for name in ("gates", "signer"):
        scaled.set_clock(name, 0)
    start(scaled, "gates", "signer")
    judged(scaled, 6, ["recipient_not_allowed"] * 2)


@pytest.mark.parametrize("wrong_s", [HOUR_S, -HOUR_S])
def test_no_verdict_of_gates_whose_clock_is_wrong_ends_a_good_intent(
    scaled: Scaled, trader: Producer, wrong_s: int
) -> None:
    """Gates that ask for no head go on, find intents expired or too far ahead, and only advise."""
    scaled.set_clock("gates", wrong_s)
    start(scaled, "gates", "signer")
    submit(scaled, trader, "soon")
    late = [trader.signed("late", expires_at_ms=wall_ms() + DAY_MS - 60_000)]
    scaled.send([Outgoing(Topic.SUBMITTED, ACCOUNT, value) for value in late])
    judged(scaled, 4, ["recipient_not_allowed"])


@pytest.mark.parametrize("wrong_s", [HOUR_S, -HOUR_S])
def test_a_registrar_whose_clock_is_wrong_halts_signers_until_it_is_mended(
    scaled: Scaled, trader: Producer, wrong_s: int
) -> None:
    scaled.set_clock("registrar", wrong_s)
    start(scaled, "registrar", "gates", "signer")
    submit(scaled, trader, "a")
    for name in ("gates", "signer"):
        await_end(scaled, name, AHEAD)
    assert not any(written(scaled).values())
    scaled.stop("registrar")
    scaled.set_clock("registrar", 0)
    start(scaled, "registrar", "gates", "signer")
    judged(scaled, 3, ["recipient_not_allowed"])


def test_a_process_that_waits_for_a_head_stops_when_it_is_told(scaled: Scaled) -> None:
    scaled.set_clock("registrar", HOUR_S)
    start(scaled, "registrar")
    while not on_kafka(scaled.servers)(Topic.REGISTRY_HEADS):
        time.sleep(0.1)
    for name in ("gates", "signer"):
        start(scaled, name)
        while "ahead of this clock" not in scaled.log(name):
            time.sleep(0.1)
        scaled.stop(name)


def test_without_a_registrar_signers_halt_and_the_backlog_is_signed_once_it_is_back(
    with_ledger: Scaled, trader: Producer
) -> None:
    """Old heads are replayed all the while; only ``expires_at_ms`` judges what waited."""
    scaled = with_ledger
    start(scaled, "registrar", "gates", "signer")
    submit(scaled, trader, "first", RATE - 1)
    found = judged(scaled, RATE - 1, ["recipient_not_allowed"])
    again_at_ms = max(one["decided_at_ms"] for one in found.outcomes) + MINUTE_MS + 1_000
    old = on_kafka(scaled.servers)(Topic.REGISTRY_HEADS)
    scaled.kill("registrar")
    stale_at_ms = last_head(scaled).at_ms + APART_MS_MAX
    while wall_ms() <= stale_at_ms:
        send_heads(scaled, *old)
        time.sleep(1)
    time.sleep(1)
    before = written(scaled)
    submit(scaled, trader, "backlog", RATE - 3)
    submit(scaled, trader, "short", 1, expires_at_ms=wall_ms() + 1_000)
    for name in ("gates", "signer"):
        assert not ready(scaled.ports[name])
        send_heads(scaled, *old)
        await_end(scaled, name, UNSAID)
    assert written(scaled) == before
    time.sleep(max(0, again_at_ms - wall_ms()) / 1000)
    start(scaled, "registrar", "gates", "signer")
    rejected = ["recipient_not_allowed"] * 2 + ["expired"] * 2
    judged(scaled, RATE - 1 + RATE - 3, rejected)


def test_a_registry_without_its_last_records_halts_signer_and_registrar(
    scaled: Scaled, trader: Producer
) -> None:
    """The head names a record that the broker keeps back."""
    start(scaled, "registrar", "signer")
    scaled.await_ready("signer")
    scaled.stop("signer")
    scaled.stop("registrar")
    known, before = last_head(scaled), written(scaled)
    now_ms = wall_ms()
    more = {"sequence": known.sequence + 1, "digest": "0x" + "11" * 32, "at_ms": now_ms}
    head = known.model_copy(update=more | {"valid_until_ms": now_ms + APART_MS_MAX})
    send_heads(scaled, registrar_key(scaled).seal(REGISTRY_HEAD_TYPE, head.encode()).encode())
    submit(scaled, trader, "a")
    start(scaled, "registrar", "gates", "signer")
    for name in ("registrar", "gates", "signer"):
        await_end(scaled, name, CUT)
    assert written(scaled) == before


def forged_heads(scaled: Scaled) -> list[bytes]:
    """Return heads that somebody without the registrar's key made, and another organisation's."""
    known, stranger = last_head(scaled), Ed25519Signer(REGISTRAR, b"s" * 32)
    far = known.model_copy(update={"sequence": 10**9, "at_ms": wall_ms() + APART_MS_MAX})
    other = far.model_copy(update={"org": "other"})
    return [
        stranger.seal(REGISTRY_HEAD_TYPE, far.encode()).encode(),
        stranger.seal(REGISTRY_HEAD_TYPE, known.encode()).encode(),
        registrar_key(scaled).seal(REGISTRY_HEAD_TYPE, other.encode()).encode(),
        b"garbage",
        b"",
    ]


def test_forged_heads_neither_halt_a_signer_nor_keep_it_going(
    scaled: Scaled, trader: Producer
) -> None:
    start(scaled, "registrar", "gates", "signer")
    scaled.await_ready("signer")
    for n in range(3):
        send_heads(scaled, *forged_heads(scaled) * 10)
        submit(scaled, trader, f"a{n}", 2)
    judged(scaled, 6, ["recipient_not_allowed"] * 3)
    scaled.stop("signer")
    scaled.stop("registrar")
    time.sleep(max(0, last_head(scaled).at_ms + APART_MS_MAX + 1_000 - wall_ms()) / 1000)
    scaled.start("signer")
    send_heads(scaled, *forged_heads(scaled))
    await_end(scaled, "signer", UNSAID)


def test_a_deactivated_agent_is_refused_though_it_is_the_registrys_last_record(
    scaled: Scaled, trader: Producer
) -> None:
    start(scaled, "registrar", "gates", "signer")
    submit(scaled, trader, "a", 1)
    judged(scaled, 1, ["recipient_not_allowed"])
    scaled.register(agent_entry(trader.signer, active=False))
    submit(scaled, trader, "b", 1)
    judged(scaled, 1, ["agent_inactive"] * 2 + ["recipient_not_allowed"])


@pytest.mark.parametrize("kind", ["LogAppendTime", "CreateTime"])
def test_a_producer_that_dates_records_days_back_or_ahead_gains_and_loses_nothing(
    scaled: Scaled, trader: Producer, kind: str
) -> None:
    """Also where somebody has let producers say what the time is, against the declaration."""
    start(scaled, "registrar", "gates", "signer")
    scaled.await_ready("gates")
    scaled.await_ready("signer")
    if kind == "CreateTime":
        asyncio.run(_let_producers_date(scaled))
    dear = [trader.signed(f"dear-{n}", value_wei=10**18) for n in range(6)]
    days = [0, -40, 40, -1, 1, -2, 2]
    asyncio.run(_send_dated(scaled, list(zip([*dear, dear[0]], days, strict=True))))
    found = judged(scaled, 5, ["daily_limit_exceeded"])
    now_ms = wall_ms()
    assert all(abs(now_ms - one["decided_at_ms"]) < DAY_MS // 2 for one in found.outcomes)


async def _let_producers_date(scaled: Scaled) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=scaled.servers)
    await admin.start()
    try:
        settings = {
            "message.timestamp.type": "CreateTime",
            "message.timestamp.after.max.ms": str(2**63 - 1),
        }
        for topic in (Topic.SUBMITTED, Topic.DECIDED):
            resource = ConfigResource(ConfigResourceType.TOPIC, topic.value, settings)
            await admin.alter_configs([resource])
    finally:
        await admin.close()


async def _send_dated(scaled: Scaled, dated: list[tuple[bytes, int]]) -> None:
    async with scaled.broker.producer() as producer:
        for value, days in dated:
            at_ms = wall_ms() + days * DAY_MS
            topic = Topic.SUBMITTED.value
            await producer.send_and_wait(topic, value, ACCOUNT.encode(), timestamp_ms=at_ms)
