"""The Kafka ``Api`` with forged records on the topics, and with missing processes."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest

from schemas.intents.outcome import TransactionSigned, decode_outcome
from schemas.record import Outgoing, Record
from schemas.registry.records import AccountOpened
from schemas.topics import Topic
from signer.custody.event_signing import Ed25519Signer
from sixgate.answers.pending_records import names_of
from sixgate.api import Api, ApiError
from sixgate.api.operator.connection import connect
from sixgate.authoring import operator
from sixgate.backends.kafka.backend import Timeouts, open_kafka_api
from sixgate.config.sections import KafkaSettings
from sixgate.data_folder.folder import Folder
from sixgate.data_folder.signer_files import FolderError
from sixgate.operate.publish import OtherOrganisationError, publish
from streams.kafka.loop import LoopThread
from streams.kafka.producer import Sender
from streams.ledger.chain import Entry
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.entry import entry_of
from streams.ledger.table import COLUMNS, LedgerTable, batch_of
from tests.harness.broker.ledger_servers import as_user
from tests.harness.broker.shared import own_database, shared_clickhouse
from tests.harness.cli.clients import record, results, submit
from tests.harness.pipeline.embedded import ACCOUNT, Producer, make_folder
from tests.harness.pipeline.scaled_organisation import ScaledOrganisation, scaled_organisation
from tools.local.ports import free_port
from tools.local.server import Server

IMPATIENT = Timeouts(operator_s=2.0, ledger_s=2.0, idle_s=2.0)
NOW_MS = 1
TRADER = Producer(Ed25519Signer("trader", secrets.token_bytes(32)))
STRANGER = Ed25519Signer("signer-0", secrets.token_bytes(32))


class Copied(NamedTuple):
    """A copy of the ledger, and the ``Api`` over it."""

    table: LedgerTable
    api: Api


@pytest.fixture(scope="module")
def organised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScaledOrganisation]:
    with scaled_organisation(tmp_path_factory.mktemp("organised"), [TRADER.signer]) as found:
        yield found


@pytest.fixture
def api(organised: ScaledOrganisation) -> Iterator[Api]:
    with open_kafka_api(organised.settings, organised.folder) as found:
        yield found


@pytest.fixture
def impatient(organised: ScaledOrganisation) -> Iterator[Api]:
    """Yield an ``Api`` with short timeouts."""
    with open_kafka_api(organised.settings, organised.folder, IMPATIENT) as found:
        yield found


def send(organised: ScaledOrganisation, *events: Outgoing) -> None:
    """Write records as an attacker with access to every topic."""

    async def sent() -> None:
        async with Sender(organised.settings.kafka.broker("attacker"), lambda: 4) as sender:
            await sender.send(events)

    loop = LoopThread("attacker")
    try:
        loop.run(sent())
    finally:
        loop.close()


@contextmanager
def paused(server: Server) -> Iterator[None]:
    server.pause()
    try:
        yield
    finally:
        server.resume()


def process(organised: ScaledOrganisation, name: str) -> Server:
    return next(server for server in organised.processes.all if server.folder.name == name)


def signed_by_the_wrong_key(raw: bytes, **wish: object) -> bytes:
    """Return a forged outcome: other bytes, a new number, the attacker's signature."""
    true = decode_outcome(raw)
    assert isinstance(true, TransactionSigned)
    wish |= {"sequence": true.sequence + 1, "value_wei": 10**18, "spent_wei": 10**18}
    return STRANGER.sign_event(true.model_copy(update=wish | {"signature": None}))


def outcome_of(api: Api) -> bytes:
    submit(api, TRADER.signed(uuid4().hex))
    *_, newest = api.signed(after=0, follow=False)
    return TransactionSigned.model_validate(newest["event"], strict=False).encode()


def test_forged_outcomes_are_not_shown(organised: ScaledOrganisation, api: Api) -> None:
    forged = signed_by_the_wrong_key(outcome_of(api))
    seen, budgets = list(api.signed(after=0, follow=False)), api.budgets()
    send(organised, *(Outgoing(t, ACCOUNT, forged) for t in (Topic.OUTCOMES, Topic.SIGNED)))
    assert list(api.signed(after=0, follow=False)) == seen
    assert api.budgets() == budgets
    assert results(submit(api, TRADER.signed(uuid4().hex))) == ["signed"]


def test_a_forged_outcome_does_not_end_a_wait(
    organised: ScaledOrganisation, api: Api, impatient: Api
) -> None:
    value, forged = TRADER.signed(uuid4().hex), outcome_of(api)
    with paused(process(organised, "signer")):
        ends = impatient.submit([record(value)], wait=True)
        next(ends)
        wrong = signed_by_the_wrong_key(forged, intent=names_of(value, ACCOUNT)[1])
        send(organised, Outgoing(Topic.OUTCOMES, ACCOUNT, wrong))
        with pytest.raises(ApiError, match="sixgate signer") as caught:
            next(ends)
        assert caught.value.code == "halted"
    assert results(submit(api, value)) == ["signed"]


@pytest.mark.parametrize("garbage", [b"", b"{}", b"\xff", b'{"type":"audit"}', b"[" * 10_000])
def test_garbage_on_every_topic_stops_no_call(
    organised: ScaledOrganisation, api: Api, garbage: bytes
) -> None:
    topics = (Topic.OUTCOMES, Topic.UNATTRIBUTED, Topic.AUDIT, Topic.SIGNED, Topic.HEADS)
    ends = api.submit([record(TRADER.signed(uuid4().hex))], wait=True)
    next(ends)
    send(organised, *(Outgoing(topic, ACCOUNT, garbage) for topic in topics))
    assert results(list(ends)) == ["signed"]
    assert api.budgets()
    assert list(api.signed(after=0, follow=False))
    assert api.head()
    send(organised, Outgoing(Topic.REGISTRY, "", garbage))
    before = api.registry()["sequence"]
    entry = AccountOpened(account=f"a{uuid4().hex[:20]}")
    operator.register(api, organised.folder.admin(), [entry], NOW_MS)
    assert api.registry()["sequence"] == before + 1


def test_a_missing_signer_is_reported_and_no_accepted_intent_is_lost(
    organised: ScaledOrganisation, api: Api, impatient: Api
) -> None:
    value = TRADER.signed(uuid4().hex)
    with paused(process(organised, "signer")):
        with pytest.raises(ApiError, match="sixgate signer") as caught:
            submit(impatient, value)
        assert caught.value.code == "halted"
        with pytest.raises(ApiError, match="signer does not answer") as caught:
            operator.provision(
                operator.Admin(impatient, organised.folder.admin(), NOW_MS),
                operator.KeyTarget(ACCOUNT, f"keys/k{uuid4().hex[:9]}"),
            )
        assert caught.value.code == "connection_lost"
    assert results(submit(api, value)) == ["signed"]


def test_intents_can_be_submitted_without_the_ledger(
    organised: ScaledOrganisation, api: Api, impatient: Api
) -> None:
    with paused(process(organised, "ledger")):
        (end,) = submit(api, TRADER.signed(uuid4().hex))
        assert results([end]) == ["signed"]
        with pytest.raises(ApiError, match="ledger") as caught:
            impatient.trail(end["intent"])
        assert caught.value.code == "ledger_failed"
    assert api.trail(end["intent"])


@contextmanager
def copied_ledger(organised: ScaledOrganisation, api: Api, cut: int) -> Iterator[Copied]:
    """Lend an administrator's copy of the ledger that lacks the last ``cut`` rows."""
    head = api.head()["head"]["sequence"]
    settings = organised.settings.clickhouse
    with own_database() as database:
        table = LedgerTable(ClickHouse.server(as_user(shared_clickhouse()), database), "acme")
        with closing(table.clickhouse):
            table.clickhouse.command(
                f"INSERT INTO ledger ({', '.join(COLUMNS)}) SELECT {', '.join(COLUMNS)} "  # noqa: S608 - a test's
                f"FROM {settings.database}.ledger WHERE seq <= {head - cut} ORDER BY seq"
            )
            copy = settings.model_copy(update={"database": database})
            ours = organised.settings.model_copy(update={"clickhouse": copy})
            with open_kafka_api(ours, organised.folder, IMPATIENT) as found:
                yield Copied(table, found)


@pytest.mark.parametrize("cut", [1, 50])
def test_a_ledger_cut_off_behind_a_published_head_is_wrong_and_the_first_missing_row_is_named(
    organised: ScaledOrganisation, api: Api, cut: int
) -> None:
    for _ in range(6):
        outcome_of(api)
    with copied_ledger(organised, api, cut) as copied:
        first = copied.table.tip().rows
        with pytest.raises(ApiError, match=f"Row {first}: the row is missing") as caught:
            list(copied.api.verify(head=None))
    assert caught.value.code == "ledger_wrong"


@pytest.mark.parametrize("topic", [Topic.OUTCOMES, Topic.SUBMITTED, Topic.HEADS])
def test_a_consistent_row_that_kafka_does_not_hold_is_wrong_at_once(
    organised: ScaledOrganisation, api: Api, topic: Topic
) -> None:
    """The attack: ClickHouse's administrator appends a row of an offset that does not exist."""
    outcome_of(api)
    with copied_ledger(organised, api, 0) as copied:
        tip = copied.table.tip()
        false = Entry(topic, 0, 10**9, ACCOUNT, NOW_MS, *_opaque_event(b"false"))
        copied.table.append(batch_of(tip, [false]))
        with pytest.raises(ApiError, match=f"Row {tip.rows}: the log") as caught:
            list(copied.api.verify(head=None))
    assert caught.value.code == "ledger_wrong"


def _opaque_event(raw: bytes) -> tuple[str, bytes]:
    made = entry_of(Record(Topic.OUTCOMES, 0, 0, "", raw, NOW_MS))
    return made.event_id, made.body


def test_a_missing_clickhouse_is_reported_in_one_sentence(organised: ScaledOrganisation) -> None:
    gone = organised.settings.clickhouse.model_copy(update={"port": free_port()})
    settings = organised.settings.model_copy(update={"clickhouse": gone})
    with open_kafka_api(settings, organised.folder) as api:
        assert results(submit(api, TRADER.signed(uuid4().hex))) == ["signed"]
        with pytest.raises(ApiError) as caught:
            api.sql("SELECT 1")
    assert caught.value.code == "ledger_failed"
    assert "\n" not in str(caught.value)


def test_a_missing_kafka_is_reported_in_one_sentence(organised: ScaledOrganisation) -> None:
    gone = KafkaSettings(servers=f"127.0.0.1:{free_port()}")
    settings = organised.settings.model_copy(update={"kafka": gone})
    with pytest.raises(ApiError) as caught, open_kafka_api(settings, organised.folder):
        pass
    assert caught.value.code == "connection_lost"


def test_another_organisations_folder_finds_no_registry(
    organised: ScaledOrganisation, tmp_path: Path
) -> None:
    other = make_folder(tmp_path / "other", [TRADER.signer])
    no_registry = pytest.raises(ApiError, match="no registry of the organisation")
    with no_registry as caught, open_kafka_api(organised.settings, other):
        pass
    assert caught.value.code == "halted"


def published(organised: ScaledOrganisation, folder: Folder) -> tuple[int, int]:
    loop = LoopThread("publish")
    try:
        return loop.run(publish(organised.settings.kafka.broker("tests"), folder))
    finally:
        loop.close()


def test_publishing_is_idempotent(organised: ScaledOrganisation, api: Api) -> None:
    before = api.registry()
    assert published(organised, organised.folder) == (0, 0)
    assert api.registry() == before


def test_another_organisation_is_not_published_over_the_first(
    organised: ScaledOrganisation, tmp_path: Path
) -> None:
    other = make_folder(tmp_path / "other", [TRADER.signer])
    with pytest.raises(OtherOrganisationError):
        published(organised, other)
    assert not other.published.exists()
    with connect(other.path) as embedded:
        assert embedded.status()["org"] == "acme"


def test_a_folder_whose_pipeline_ran_is_not_published(
    organised: ScaledOrganisation, tmp_path: Path
) -> None:
    used = make_folder(tmp_path / "used", [TRADER.signer])
    with connect(used.path) as embedded:
        submit(embedded, TRADER.signed("a"))
    with pytest.raises(FolderError, match="keys, nonces and budgets"):
        published(organised, used)


def test_a_published_folder_runs_no_second_pipeline(
    organised: ScaledOrganisation, tmp_path: Path
) -> None:
    """The attack: the same limits again, from a copy of the folder."""
    copy = tmp_path / "copy"
    shutil.copytree(organised.folder.path, copy)
    with pytest.raises(FolderError, match="runs on Kafka"), connect(copy):
        pass


def test_the_password_is_in_no_command_line(organised: ScaledOrganisation) -> None:
    secret = organised.settings.clickhouse.server().password
    assert secret
    for server in organised.processes.all:
        assert server.process
        line = Path(f"/proc/{server.process.pid}/cmdline").read_bytes()
        assert secret.encode() not in line
        assert secret not in server.log.read_text()
    assert organised.processes.config.stat().st_mode & 0o077 == 0
