"""The ledger as it runs at scale: Kafka, a ClickHouse server and ``sixgate ledger run``."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from infra.local.clickhouse import ClickHouse as LocalServer
from infra.local.kafka import Kafka
from schemas.dsse import Envelope
from schemas.record import Outgoing, Record
from schemas.topics import Topic
from sixgate.keyfiles import create_key_file
from streams.kafka.loop import LoopThread
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.entry import entry_of
from streams.ledger.kafka_source import KafkaSource
from streams.ledger.ordering import LEDGER_TOPICS, Place, advance, by_place
from streams.ledger.verify_sql import verify
from tests.support.ledger import HEAD_KEY, ORG, Pipeline
from tests.support.ledger_kafka import KafkaWriter, broker_of
from tests.support.ledger_servers import as_user, password

LEVEL_S_MAX = 90
END_S_MAX = 30


class Rig:
    """Runs sinks against real servers and judges the ledger from outside."""

    def __init__(self, folder: Path, kafka: Kafka, server: LocalServer) -> None:
        self.folder, self.kafka, self.server = folder, kafka, server
        self.writer = KafkaWriter(kafka)
        self.pipeline = Pipeline()
        self._sinks: list[subprocess.Popen[str]] = []
        create_key_file(folder / "ledger.pem", b"l" * 32)

    def write(self, intents: int) -> None:
        """Put the records of some intents on their topics."""
        new = self.pipeline.run(intents, len(self.pipeline.records))
        self.writer.send([Outgoing(record.topic, record.key, record.value) for record in new])

    def config(self, *, port: int | None = None, answer_s_max: int = 5) -> Path:
        file = self.folder / f"ledger-{port or self.server.port}.toml"
        file.write_text(
            f'[kafka]\nservers = "{self.kafka.address}"\n'
            f'[clickhouse]\nport = {port or self.server.port}\nuser = "ledger_writer"\n'
            f"answer_s_max = {answer_s_max}\n"
            f'[ledger]\norg = "{ORG}"\nkey = "{self.folder / "ledger.pem"}"\n'
            f'key_name = "ledger-1"\nheads = "{self.folder / "heads.jsonl"}"\n'
        )
        return file

    def start(self, config: Path | None = None) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "sixgate", "ledger", "run"]
        sink = subprocess.Popen(
            [*command, "--config", str(config or self.config())],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"SIXGATE_CLICKHOUSE__PASSWORD": password("ledger_writer")},
        )
        self._sinks.append(sink)
        return sink

    def await_level(self, sink: "subprocess.Popen[str] | None" = None) -> int:
        """Wait until the ledger has every record there is; return the number of rows."""
        wanted, until = len(self.records()), time.monotonic() + LEVEL_S_MAX
        with closing(ClickHouse.server(as_user(self.server))) as clickhouse:
            while (rows := _rows(clickhouse)) < wanted:
                assert sink is None or sink.poll() is None, sink.communicate()[1]
                assert time.monotonic() < until, f"the ledger has {rows} of {wanted} records"
                time.sleep(0.05)
        return rows

    def rows(self) -> int:
        with closing(ClickHouse.server(as_user(self.server))) as clickhouse:
            return _rows(clickhouse)

    def records(self) -> list[Record]:
        """Read every committed record of every topic that is kept."""
        found: list[Record] = []
        positions: dict[Place, int] = {}
        with self._reading(LEDGER_TOPICS) as source:
            while records := source.read(positions, 100_000):
                found += records
                positions = advance(by_place(records), positions, source.earliest)
        return found

    def judge(self) -> None:
        """Recompute everything: each record once, as it is; the chain; the published heads."""
        expected = sorted(entry_of(record) for record in self.records())
        with closing(ClickHouse.server(as_user(self.server))) as clickhouse:
            heads = [HEAD_KEY.open(head) for head in self.heads()]
            assert verify(clickhouse, heads).rows == len(expected)
            stored = clickhouse.rows(
                "SELECT topic, partition, offset, key, at_ms, event_id, body FROM ledger"
            )
        found = sorted((*row[:6], row[6].encode()) for row in stored)
        assert found == [tuple(entry) for entry in expected]

    def heads(self) -> list[Envelope]:
        """Return every head on Kafka."""
        with self._reading((Topic.HEADS,)) as source:
            return [Envelope.decode(record.value) for record in source.read({}, 10_000)]

    @contextmanager
    def _reading(self, topics: Sequence[Topic]) -> Iterator[KafkaSource]:
        with (
            closing(LoopThread("outside")) as loop,
            closing(KafkaSource(loop, broker_of(self.kafka), topics)) as source,
        ):
            yield source

    def end(self, sink: "subprocess.Popen[str]", number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal, wait for the end; return exit code and what was said."""
        sink.send_signal(number)
        told = sink.communicate(timeout=END_S_MAX)[1]
        self._sinks.remove(sink)
        return sink.returncode, told

    def await_end(self, sink: "subprocess.Popen[str]") -> tuple[int, str]:
        told = sink.communicate(timeout=LEVEL_S_MAX)[1]
        self._sinks.remove(sink)
        return sink.returncode, told

    def close(self) -> None:
        for sink in self._sinks:
            sink.kill()
            sink.wait(END_S_MAX)
        self.writer.close()


def _rows(clickhouse: ClickHouse) -> int:
    return int(clickhouse.rows("SELECT count() FROM ledger")[0][0])
