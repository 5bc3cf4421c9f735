"""A process that writes a ledger until it is done or killed.

It is forked from a server with all imports done, so that tests with many kills stay fast.
"""

import multiprocessing
import resource
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path

from schemas.record import PartitionId, Record
from streams.ledger.embedded import open_folder
from streams.ledger.errors import LedgerError
from streams.ledger.heads import HeadFile
from streams.ledger.migrations import migrate
from streams.ledger.sink import Sink
from streams.ledger.table import LedgerTable
from tests.harness.builders.ledger import HEAD_KEY, ORG, MemoryLog, Pipeline

STEP_RECORDS = 40
DONE = "done"

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__])


class SlowLog(MemoryLog):
    """Returns a few records at a time, so that kills hit between and within many appends."""

    def read(self, positions: Mapping[PartitionId, int], limit: int) -> list[Record]:
        return super().read(positions, min(limit, STEP_RECORDS))


class LedgerProcess:
    """The parent's side: reads the child's reports and waits for its end."""

    def __init__(self, folder: Path, intents: int, file_bytes_max: int = 0) -> None:
        folder.mkdir(exist_ok=True)
        self._reports, telling = _CONTEXT.Pipe(duplex=False)
        self._process = _CONTEXT.Process(
            target=append_all, args=(folder, intents, file_bytes_max, telling)
        )
        self._process.start()
        telling.close()

    def wait_until_open(self) -> None:
        first = self._reports.recv()
        assert first == 0, first

    def kill(self) -> int:
        """Kill it and return how many records it had acknowledged."""
        self._process.kill()
        return sum(count for count in self._rest() if isinstance(count, int))

    def finish(self) -> str:
        """Wait for its end and return its last report: ``DONE`` or an error."""
        return str(self._rest()[-1])

    def _rest(self) -> list[int | str]:
        reports: list[int | str] = []
        try:
            while True:
                reports.append(self._reports.recv())
        except EOFError:
            self._process.join(60)
            self._reports.close()
            return reports


def append_all(folder: Path, intents: int, file_bytes_max: int, telling: Connection) -> None:
    """Append a pipeline's records to ``folder/ledger``; report 0 when open, then every step."""
    if file_bytes_max:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes_max, file_bytes_max))
    pipeline = Pipeline()
    pipeline.run(intents)
    try:
        clickhouse = open_folder(folder / "ledger")
        migrate(clickhouse)
        table, heads = LedgerTable(clickhouse, ORG), HeadFile(folder / "heads.jsonl")
        sink = Sink(SlowLog(pipeline.records), table, heads, HEAD_KEY, lambda: 1)
        telling.send(0)
        while count := sink.step():
            telling.send(count)
        sink.close()
        clickhouse.close()
        telling.send(DONE)
    except LedgerError as error:
        telling.send(f"{type(error).__name__}: {error}")
