"""The ledger's process with wrong settings ends with one sentence, an exit code and no row."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from schemas.dsse import Envelope
from schemas.ledger.heads import LedgerHead
from schemas.topics import Topic
from signer.custody.event_signing import Ed25519Signer
from sixgate.cli.exit_codes import ExitCode
from streams.kafka.broker import Broker
from streams.kafka.loop import LoopThread
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.errors import LedgerRewrittenError
from streams.ledger.heads import HeadFile, HeadKey
from streams.ledger.kafka_heads import KafkaHeads, PublishedHeads
from tests.harness.broker.ledger_kafka import KafkaWriter, own_topics
from tests.harness.broker.ledger_servers import granted_database, password
from tests.harness.builders.ledger import HEAD_KEY, ORG
from tests.harness.cli.forked import ForkedCommandLine
from tests.harness.pipeline.ledger_rig import Rig
from tools.local.clickhouse import ClickHouse as LocalServer
from tools.local.ports import free_port

PASSWORD = "SIXGATE_CLICKHOUSE__PASSWORD"  # noqa: S105 - the name of a variable


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with own_topics() as broker:
        yield broker


@pytest.fixture(scope="module")
def rig(
    tmp_path_factory: pytest.TempPathFactory, broker: Broker, ledger_server: LocalServer
) -> Iterator[Rig]:
    made = Rig(tmp_path_factory.mktemp("rig"), broker, ledger_server)
    yield made
    made.close()


@pytest.fixture
def database(ledger_server: LocalServer) -> Iterator[ClickHouse]:
    with granted_database(ledger_server) as clickhouse:
        yield clickhouse


def run_ledger(command: str, config: Path, **environment: str) -> tuple[int, str]:
    more = {PASSWORD: password("ledger_writer")} | environment
    words = ("ledger", command, "--config", str(config))
    ended = ForkedCommandLine(None).run(*words, more=more)
    assert not ended.out
    return ended.code, ended.err


def one_sentence(log: str) -> bool:
    lines = [line for line in log.splitlines() if line.startswith("Error: ")]
    return len(lines) == 1 and "Traceback" not in log


def test_missing_tables(rig: Rig) -> None:
    code, log = run_ledger("run", rig.config())
    assert (code, one_sentence(log)) == (ExitCode.HALTED, True)
    assert "sixgate ledger migrate" in log


def test_migrate_makes_them_as_its_own_user_alone(rig: Rig, database: ClickHouse) -> None:
    database.command(f"DROP DATABASE {database.database} SYNC")
    code, log = run_ledger("migrate", rig.config())
    assert (code, one_sentence(log)) == (ExitCode.REFUSED, True)
    assert "privileges" in log
    ddl = {"SIXGATE_CLICKHOUSE__USER": "ledger_ddl", PASSWORD: password("ledger_ddl")}
    assert run_ledger("migrate", rig.config(), **ddl) == (ExitCode.OK, "5 migrations applied.\n")
    again = "The ledger's tables are up to date.\n"
    assert run_ledger("migrate", rig.config(), **ddl) == (ExitCode.OK, again)


def test_a_missing_server(rig: Rig) -> None:
    port = free_port()
    code, log = run_ledger("run", rig.config(port=port))
    assert (code, one_sentence(log)) == (ExitCode.UNREACHABLE, True)
    assert f"127.0.0.1:{port}" in log


@pytest.mark.usefixtures("database")
def test_a_wrong_password_is_not_repeated(rig: Rig) -> None:
    code, log = run_ledger("run", rig.config(), **{PASSWORD: "not this one"})
    assert (code, one_sentence(log)) == (ExitCode.REFUSED, True)
    assert "not this one" not in log


@pytest.mark.usefixtures("database")
def test_a_missing_broker(rig: Rig) -> None:
    servers = f"127.0.0.1:{free_port()}"
    code, log = run_ledger("run", rig.config(), SIXGATE_KAFKA__SERVERS=servers)
    assert (code, one_sentence(log)) == (ExitCode.UNREACHABLE, True)


@pytest.mark.usefixtures("database")
def test_a_broker_without_topics(rig: Rig) -> None:
    code, log = run_ledger("run", rig.config(), SIXGATE_KAFKA__PREFIX="without.topics.")
    assert (code, one_sentence(log)) == (ExitCode.WEAKER, True)
    assert "sixgate topics apply" in log


@pytest.mark.usefixtures("database")
def test_a_key_that_others_can_read(rig: Rig) -> None:
    key = rig.folder / "ledger.pem"
    key.chmod(0o644)
    try:
        code, log = run_ledger("run", rig.config())
    finally:
        key.chmod(0o600)
    assert (code, one_sentence(log)) == (ExitCode.FOLDER, True)


class TestHeads:
    """Heads in the local file and on Kafka, where others may have written."""

    @pytest.fixture
    def loop(self) -> Iterator[LoopThread]:
        with closing(LoopThread("heads")) as loop:
            yield loop

    @pytest.fixture
    def kafka_heads(self, loop: LoopThread, broker: Broker) -> Iterator[KafkaHeads]:
        with closing(KafkaHeads(loop, broker)) as heads:
            yield heads

    def test_our_newest_head_is_found_before_records_of_others(
        self, kafka_heads: KafkaHeads, broker: Broker, tmp_path: Path
    ) -> None:
        heads = PublishedHeads(HeadFile(tmp_path / "heads.jsonl"), kafka_heads, HEAD_KEY.open)
        heads.publish(head(7))
        with closing(KafkaWriter(broker)) as writer:
            foreign = head(9, HeadKey(Ed25519Signer("ledger-1", b"o" * 32))).encode()
            for value in (b"garbage", b"", None, foreign, head(3).encode()):
                writer.send_raw(Topic.HEADS, 0, b"k", value)
        assert heads.last() == head(7)
        lost = PublishedHeads(HeadFile(tmp_path / "lost.jsonl"), kafka_heads, HEAD_KEY.open)
        assert lost.last() == head(7)

    def test_what_only_the_file_has_is_published_at_the_next_start(
        self, kafka_heads: KafkaHeads, tmp_path: Path
    ) -> None:
        file = HeadFile(tmp_path / "heads.jsonl")
        file.publish(head(100))
        assert PublishedHeads(file, kafka_heads, HEAD_KEY.open).last() == head(100)
        assert kafka_heads.newest(HEAD_KEY.open) == head(100)

    def test_a_file_that_was_changed_is_not_outvoted_by_kafka(
        self, kafka_heads: KafkaHeads, tmp_path: Path
    ) -> None:
        file = HeadFile(tmp_path / "heads.jsonl")
        file.publish(head(5, HeadKey(Ed25519Signer("ledger-1", b"o" * 32))))
        with pytest.raises(LedgerRewrittenError, match="not signed"):
            PublishedHeads(file, kafka_heads, HEAD_KEY.open).last()


def head(sequence: int, key: HeadKey = HEAD_KEY) -> Envelope:
    plain = LedgerHead(org=ORG, chain="main", sequence=sequence, hash="0x" + "ab" * 32, at_ms=1)
    return key.sign_head(plain)
