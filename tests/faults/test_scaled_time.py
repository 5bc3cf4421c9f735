"""Wrong clocks, old and forged heads, back-dated records: no limit is passed, no good intent lost.

Real processes on a real broker, each with its own wall clock; the checks read the topics only. All
tests share one organisation. Each has its own agent, so that rates and counts are independent, and
starts the processes that have ended. The tests after the one without a registrar run ``LATER_S``
ahead of real time, because a signer's time never goes back.
"""

import asyncio
import secrets
import signal
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas.dsse import REGISTRY_HEAD_TYPE
from schemas.record import Outgoing
from schemas.topics import DAY_MS, Topic
from signer.custody.event_signing import Ed25519Signer
from signer.stage.freshness import HEAD_SKEW_MS_MAX
from sixgate.clocks import wall_ms
from sixgate.data_folder.folder import REGISTRAR
from tests.harness.builders.waiting import until
from tests.harness.pipeline.embedded import ACCOUNT, POLICY, Producer, agent_entry
from tests.harness.pipeline.halting import (
    AHEAD,
    CUT,
    HALTS_SOON,
    JUMPED,
    NO_NEW_HEAD,
    at_work,
    await_halt,
    check_ends,
    last_head,
    registrar_key,
    send_heads,
    submit,
    traces,
    written,
)
from tests.harness.pipeline.scaled import Scaled, on_kafka, organisation, ready

HOUR_S = 3_600
DAY_S = 86_400  # differs from the other offsets: with equal ones the clocks would agree
RATE = 12
LIMITED = POLICY.model_copy(update={"intents_per_minute": RATE})
DEAR_WEI = (
    9 * 10**17
)  # five of them leave room in the daily limit for all that the other tests sign
NEARLY_APART_S = HEAD_SKEW_MS_MAX // 1_000 - 2  # just within the allowed clock skew
LATER_S = 120  # longer than the minute of the rate
WAIT_S_MAX = 120
NAMES = ("registrar", "clock", "advice", "dated", "leaver", "forged", "waiter", "cut")
REFUSED = "recipient_not_allowed"


class TimedOrganisation(NamedTuple):
    """An organisation, and its agents by name; each may submit ``RATE`` intents a minute."""

    scaled: Scaled
    agents: dict[str, Producer]


@pytest.fixture(scope="module")
def organised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TimedOrganisation]:
    """Yield an organisation with a ledger, which the signer queries for expired intents."""
    signers = {name: Ed25519Signer(name, secrets.token_bytes(32)) for name in NAMES}
    folder = tmp_path_factory.mktemp("time")
    with organisation(folder, list(signers.values()), LIMITED) as scaled:
        scaled.more = dict(HALTS_SOON)
        yield TimedOrganisation(
            scaled, {name: Producer(signer) for name, signer in signers.items()}
        )


def test_a_registrar_whose_clock_is_wrong_halts_gates_and_signer_until_it_is_right(
    organised: TimedOrganisation,
) -> None:
    """A process that waits for a head can still be stopped."""
    scaled, agent = organised.scaled, organised.agents["registrar"]
    before = written(scaled)
    scaled.set_clock("registrar", DAY_S)
    scaled.start("registrar")
    scaled.await_ready("registrar")
    scaled.more.clear()  # so that they still wait when they get the signal
    for name in ("gates", "signer"):  # one after another: each has a timeout
        scaled.start(name)
        _await_line(scaled, name, " s ahead ")
        scaled.stop(name)
    scaled.more.update(HALTS_SOON)
    submit(scaled, agent, "a")
    scaled.stop("registrar")
    scaled.set_clock("registrar", -DAY_S)
    for name in ("registrar", "gates", "signer"):
        scaled.start(name)
        if name == "registrar":
            scaled.await_ready(name)
    await_halt(scaled, AHEAD, "gates", "signer")
    assert written(scaled) == before
    scaled.stop("registrar")
    scaled.set_clock("registrar", 0)
    at_work(scaled)
    check_ends(scaled, agent, 3, [REFUSED])


def _await_line(scaled: Scaled, name: str, line: str) -> None:
    until(lambda: line in scaled.log(name), WAIT_S_MAX)


def test_gates_and_a_signer_whose_clock_is_wrong_halt_and_lose_nothing(
    organised: TimedOrganisation,
) -> None:
    """Their clocks are changed while they run; after a restart each is wrong the other way.

    The gates continue while the signer's clock is wrong, so that intents queue up for it.
    """
    scaled, agent = organised.scaled, organised.agents["clock"]
    at_work(scaled)
    scaled.set_clock("signer", -HOUR_S)
    intents = submit(scaled, agent, "a")
    await_halt(scaled, f"{JUMPED}|{AHEAD}", "signer")
    scaled.await_caught_up("gates")
    scaled.set_clock("gates", HOUR_S)
    intents += submit(scaled, agent, "b")
    await_halt(scaled, f"{JUMPED}|{AHEAD}", "gates")
    assert not traces(scaled, intents)
    before = written(scaled)
    scaled.set_clock("gates", -HOUR_S)
    scaled.set_clock("signer", HOUR_S)
    for name in ("gates", "signer"):
        scaled.start(name)
    await_halt(scaled, AHEAD, "gates", "signer")
    assert written(scaled) == before
    for name in ("gates", "signer"):
        scaled.set_clock(name, 0)
    at_work(scaled)
    check_ends(scaled, agent, 6, [REFUSED] * 2)


def test_no_verdict_of_gates_whose_clock_is_wrong_ends_a_good_intent(
    organised: TimedOrganisation,
) -> None:
    """Gates that require no head continue and reject wrongly, but their verdicts are advice."""
    scaled, agent = organised.scaled, organised.agents["advice"]
    at_work(scaled)
    scaled.kill("gates")
    scaled.set_clock("gates", HOUR_S)
    scaled.has_registrar = False
    scaled.start("gates")
    scaled.has_registrar = True
    for number, wrong_s in enumerate((HOUR_S, -HOUR_S), 1):
        scaled.set_clock("gates", wrong_s)
        submit(scaled, agent, f"soon-{number}")
        late = agent.signed(f"late-{number}", expires_at_ms=wall_ms() + DAY_MS - 60_000)
        scaled.send([Outgoing(Topic.SUBMITTED, ACCOUNT, late)])
        check_ends(scaled, agent, 4 * number, [REFUSED] * number)
    scaled.kill("gates")
    scaled.set_clock("gates", 0)


def test_back_dated_and_post_dated_records_change_no_decision(
    organised: TimedOrganisation,
) -> None:
    """This also holds if a topic accepts producers' timestamps, against its declaration."""
    scaled, agent = organised.scaled, organised.agents["dated"]
    at_work(scaled)
    dear = [agent.signed(f"dear-{n}", value_wei=DEAR_WEI) for n in range(9)]
    days = [0, -40, 40, -1, 1, -2, 2]
    asyncio.run(_send_dated(scaled, list(zip([*dear[:6], dear[0]], days, strict=True))))
    check_ends(scaled, agent, 5, ["daily_limit_exceeded"])
    asyncio.run(_let_producers_date(scaled))
    days = [-40, 40, 2, -2]
    asyncio.run(_send_dated(scaled, list(zip([*dear[6:], dear[0]], days, strict=True))))
    decided_at_ms = check_ends(scaled, agent, 5, ["daily_limit_exceeded"] * 4)
    now_ms = wall_ms()
    assert all(abs(now_ms - at_ms) < DAY_MS // 2 for at_ms in decided_at_ms)


async def _let_producers_date(scaled: Scaled) -> None:
    name = scaled.broker.names.of
    admin = AIOKafkaAdminClient(bootstrap_servers=scaled.servers)
    await admin.start()
    try:
        settings = {
            "message.timestamp.type": "CreateTime",
            "message.timestamp.after.max.ms": str(2**63 - 1),
        }
        for topic in (Topic.SUBMITTED, Topic.DECIDED):
            resource = ConfigResource(ConfigResourceType.TOPIC, name(topic), settings)
            await admin.alter_configs([resource])
    finally:
        await admin.close()


async def _send_dated(scaled: Scaled, dated: list[tuple[bytes, int]]) -> None:
    async with scaled.broker.producer() as producer:
        for value, days in dated:
            at_ms = wall_ms() + days * DAY_MS
            topic = scaled.broker.names.of(Topic.SUBMITTED)
            await producer.send_and_wait(topic, value, ACCOUNT.encode(), timestamp_ms=at_ms)


def test_a_deactivated_agent_is_rejected_even_as_the_registrys_last_record(
    organised: TimedOrganisation,
) -> None:
    scaled, agent = organised.scaled, organised.agents["leaver"]
    at_work(scaled)
    submit(scaled, agent, "a", 1)
    check_ends(scaled, agent, 1, [REFUSED])
    scaled.register(agent_entry(agent.signer, active=False))
    submit(scaled, agent, "b", 1)
    check_ends(scaled, agent, 1, ["agent_inactive"] * 2 + [REFUSED])


def forged_heads(scaled: Scaled) -> list[bytes]:
    """Return heads signed without the registrar's key, and one of another organisation."""
    known, stranger = last_head(scaled), Ed25519Signer(REGISTRAR, b"s" * 32)
    far = known.model_copy(update={"sequence": 10**9, "at_ms": wall_ms() + HEAD_SKEW_MS_MAX})
    other = far.model_copy(update={"org": "other"})
    return [
        stranger.sign_envelope(REGISTRY_HEAD_TYPE, far.encode()).encode(),
        stranger.sign_envelope(REGISTRY_HEAD_TYPE, known.encode()).encode(),
        registrar_key(scaled).sign_envelope(REGISTRY_HEAD_TYPE, other.encode()).encode(),
        b"garbage",
        b"",
    ]


def test_forged_heads_do_not_halt_a_signer(organised: TimedOrganisation) -> None:
    scaled, agent = organised.scaled, organised.agents["forged"]
    at_work(scaled)
    for n in range(3):
        send_heads(scaled, *forged_heads(scaled) * 10)
        submit(scaled, agent, f"a{n}", 2)
    check_ends(scaled, agent, 6, [REFUSED] * 3)


def test_without_a_registrar_signers_halt_and_the_backlog_is_signed_once_it_is_back(
    organised: TimedOrganisation,
) -> None:
    """Old and forged heads arrive meanwhile; the queued intents expire by ``expires_at_ms`` only.

    With clocks ahead by the allowed skew the last head expires immediately. Gates and signer are
    frozen until it has expired and the backlog exists, so that neither halts before it has work.
    """
    scaled, agent = organised.scaled, organised.agents["waiter"]
    at_work(scaled)
    submit(scaled, agent, "first", RATE - 1)
    check_ends(scaled, agent, RATE - 1, [REFUSED])
    heads = [*on_kafka(scaled.broker)(Topic.REGISTRY_HEADS), *forged_heads(scaled)]
    working = [scaled.processes[name] for name in ("gates", "signer")]
    for process in working:
        process.send_signal(signal.SIGSTOP)
    scaled.kill("registrar")
    for name in ("gates", "signer"):
        scaled.set_clock(name, NEARLY_APART_S)
    waiting = submit(scaled, agent, "backlog", RATE - 3)
    waiting += submit(scaled, agent, "short", 1, expires_at_ms=wall_ms() + 1_000)
    expired_at_ms = last_head(scaled).at_ms + HEAD_SKEW_MS_MAX - NEARLY_APART_S * 1_000
    until(lambda: wall_ms() > expired_at_ms, WAIT_S_MAX)
    for process in working:
        assert process.poll() is None
        process.send_signal(signal.SIGCONT)
    assert not any(ready(scaled.ports[name]) for name in ("gates", "signer"))

    def ended() -> bool:
        send_heads(scaled, *heads)
        return all(process.poll() is not None for process in working)

    until(ended, WAIT_S_MAX)
    await_halt(scaled, NO_NEW_HEAD, "gates", "signer")
    assert not traces(scaled, waiting)
    scaled.start("signer")
    send_heads(scaled, *forged_heads(scaled))
    await_halt(scaled, NO_NEW_HEAD, "signer")
    assert not traces(scaled, waiting)
    for name in ("registrar", "gates", "signer"):
        scaled.set_clock(name, LATER_S)
    at_work(scaled)
    check_ends(scaled, agent, RATE - 1 + RATE - 3, [REFUSED] * 2 + ["expired"] * 2)


def test_a_registry_without_its_last_records_halts_gates_signer_and_registrar(
    organised: TimedOrganisation,
) -> None:
    """The head names a record that the broker withholds, so no test can follow this one."""
    scaled, agent = organised.scaled, organised.agents["cut"]
    at_work(scaled)
    for name in ("signer", "gates", "registrar"):
        scaled.kill(name)
    known, before = last_head(scaled), written(scaled)
    more = {"sequence": known.sequence + 1, "digest": "0x" + "11" * 32, "at_ms": known.at_ms + 1}
    head = known.model_copy(update=more | {"valid_until_ms": known.at_ms + HEAD_SKEW_MS_MAX})
    send_heads(
        scaled, registrar_key(scaled).sign_envelope(REGISTRY_HEAD_TYPE, head.encode()).encode()
    )
    submit(scaled, agent, "a")
    for name in ("registrar", "gates", "signer"):
        scaled.start(name)
    await_halt(scaled, CUT, "registrar", "gates", "signer")
    assert written(scaled) == before
