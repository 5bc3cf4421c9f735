"""The ledger in production form: Kafka, a ClickHouse server and ``sixgate ledger run``."""

import itertools
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from schemas.record import Outgoing
from sixgate.cli.exit_codes import ExitCode
from sixgate.data_folder.key_files import create_key_file
from streams.kafka.broker import Broker
from tests.harness.broker.ledger_kafka import PARTITIONS, KafkaWriter
from tests.harness.broker.ledger_servers import password
from tests.harness.builders.ledger import HEAD_KEY, ORG, Pipeline
from tests.harness.cli.forked import Forked, fork
from tests.harness.judge.ledger_judge import LedgerJudge
from tools.local.clickhouse import ClickHouse as LocalServer

CAUGHT_UP_S_MAX = 120


class Rig:
    """Runs sinks against real servers and checks the ledger independently."""

    def __init__(self, folder: Path, broker: Broker, server: LocalServer) -> None:
        self.folder, self.broker, self.server = folder, broker, server
        self.judge = LedgerJudge(broker, server, HEAD_KEY, PARTITIONS)
        self.writer = KafkaWriter(broker)
        self.pipeline = Pipeline()
        self._sinks: dict[Forked, Path] = {}
        self._numbers = itertools.count()
        create_key_file(folder / "ledger.pem", b"l" * 32)

    def write(self, intents: int) -> None:
        """Append the records of some intents to their topics."""
        new = self.pipeline.run(intents, len(self.pipeline.records))
        self.writer.send([Outgoing(record.topic, record.key, record.value) for record in new])

    def config(self, *, port: int | None = None, answer_s_max: int = 30) -> Path:
        file = self.folder / f"ledger-{port or self.server.port}.toml"
        file.write_text(
            f'[kafka]\nservers = "{self.broker.servers}"\ninsecure_dev = true\n'
            f'prefix = "{self.broker.names.prefix}"\n'
            f'[clickhouse]\nport = {port or self.server.port}\nuser = "ledger_writer"\n'
            f"answer_s_max = {answer_s_max}\n"
            f'[ledger]\norg = "{ORG}"\nkey = "{self.folder / "ledger.pem"}"\n'
            f'key_name = "ledger-1"\nheads = "{self.folder / "heads.jsonl"}"\n'
        )
        return file

    def start(self, config: Path | None = None) -> Forked:
        env = os.environ | {"SIXGATE_CLICKHOUSE__PASSWORD": password("ledger_writer")}
        log = self.folder / f"sink-{next(self._numbers)}.log"
        with log.open("wb") as out:
            words = ("ledger", "run", "--config", str(config or self.config()))
            sink = fork(*words, out=out, env=env)
        self._sinks[sink] = log
        return sink

    def await_ledger(self, sink: Forked | None = None) -> int:
        """Wait until the ledger has every record; return the number of rows."""
        wanted, until = len(self.judge.records()), time.monotonic() + CAUGHT_UP_S_MAX
        while (rows := self.judge.rows()) < wanted:
            sink = sink and self._living(sink)
            assert time.monotonic() < until, f"the ledger has {rows} of {wanted} records"
            time.sleep(0.05)
        return rows

    def _living(self, sink: Forked) -> Forked:
        """Return a running sink; restart one that ended for a late insert, as its error asks."""
        if sink.poll() is None:
            return sink
        _, log = self.await_end(sink)
        assert "late insert" in log, log
        return self.start()

    def end(self, sink: Forked, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal and wait for the end; return the exit code and the output."""
        sink.send_signal(number)
        return self.await_end(sink)

    def await_end(self, sink: Forked) -> tuple[int, str]:
        code = sink.wait(CAUGHT_UP_S_MAX)
        return code, self._sinks.pop(sink).read_text()

    def sentence_of_end(self, outage: Callable[[], None], code: ExitCode) -> str:
        """Return the one-line error of a sink that an outage hits between records."""
        sink = self.start()
        self.write(50)
        self.await_ledger(sink)
        outage()
        self.write(50)
        ended, log = self.await_end(sink)
        assert ended == code, log
        (sentence,) = (line for line in log.splitlines() if not line.startswith("{"))
        return sentence

    def go_on(self) -> int:
        """Let a sink catch up, stop it and check the ledger; return the sink's exit code.

        If nothing was missing, the signal may arrive before the sink handles signals.
        """
        self.await_ledger(self.start())
        code = self.end(list(self._sinks)[-1])[0]
        self.judge.judge()
        return code

    def close(self) -> None:
        for sink in self._sinks:
            sink.kill()
            sink.wait(CAUGHT_UP_S_MAX)
        self.writer.close()
