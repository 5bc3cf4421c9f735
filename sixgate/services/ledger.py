"""The ledger process: the sink that appends every topic's records to a ClickHouse server.

1. Check topics and rights, then table and log against the last published head. Publish the head
   that a process which died had not published.
2. Append, then publish a signed head, step by step until ``stop`` is set.
   *If the process ends before an insert, nothing happened. If it ends after that, the rows are
   there, and the next start continues after the table's last row.*

Every error ends the process. Kafka consumer offsets play no part; only the table's rows count.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import ClassVar

from schemas.topics import Principal
from sixgate.clocks import wall_ms
from sixgate.config.process_settings import Settings
from sixgate.data_folder.key_files import load_key_file
from sixgate.services.gc_tuning import freeze_gc
from sixgate.services.monitor import Monitor
from sixgate.services.start_checks import check_declared
from streams.kafka.loop import LoopThread
from streams.kafka.reader import PartitionLag
from streams.ledger.heads import HeadFile, HeadKey
from streams.ledger.kafka_heads import KafkaHeads, PublishedHeads
from streams.ledger.kafka_source import KafkaSource
from streams.ledger.migrations import migrate, refuse_unmigrated
from streams.ledger.sink import Sink
from streams.ledger.table import LedgerTable
from streams.slow_calls import log_slow

CLIENT = "sixgate-ledger"
_LOG = logging.getLogger("sixgate.ledger")


class LedgerProcess:
    """Appends the records of every topic until it is stopped."""

    role: ClassVar[str] = "ledger"

    def __init__(self, settings: Settings) -> None:
        """Open the ledger's key; raises ``SettingsError``, ``KeyFileError``."""
        self._settings = settings
        self._section = settings.ledger_section()
        self._key = HeadKey(load_key_file(self._section.key, self._section.key_name))
        self._source: KafkaSource | None = None
        self.monitor = Monitor(self.role, self._lag)

    async def run(self, stop: asyncio.Event) -> None:
        """Append until ``stop`` is set; raises ``LedgerError``, ``KafkaBusError``.

        The sink blocks on its servers, so it runs in a thread; the event loop serves the monitor.
        """
        # 1. Writes at most the head that a process which died had not published.
        kafka = self._settings.kafka
        await check_declared(kafka, kafka.broker(CLIENT), None, Principal.LEDGER)
        await asyncio.to_thread(self._append, stop.is_set)

    def _append(self, stopped: Callable[[], bool]) -> None:
        with ExitStack() as opened:
            sink = self._sink(opened)
            _LOG.info("ledger.opened", extra={"rows": sink.rows})
            freeze_gc()
            self.monitor.ready()
            # 2. ``stop`` takes effect between steps, so rows and head are complete at a clean end.
            while not stopped():
                with log_slow(_LOG, "ledger.step_slow"):
                    rows = sink.step()
                self.monitor.appended(rows)

    def _sink(self, opened: ExitStack) -> Sink:
        """Return a sink that continues after the table's last row; ``opened`` closes its parts."""
        section, broker = self._section, self._settings.kafka.broker(CLIENT)
        clickhouse = opened.enter_context(closing(self._settings.clickhouse.connected()))
        refuse_unmigrated(clickhouse)
        loop = opened.enter_context(closing(LoopThread("ledger-kafka")))
        source = self._source = opened.enter_context(closing(KafkaSource(loop, broker)))
        kafka = opened.enter_context(closing(KafkaHeads(loop, broker)))
        heads = PublishedHeads(HeadFile(section.heads), kafka, self._key.open)
        sink = Sink(
            source, LedgerTable(clickhouse, section.org, section.chain), heads, self._key, wall_ms
        )
        opened.callback(sink.close)
        return sink

    def _lag(self) -> Iterator[PartitionLag]:
        return self._source.lag() if self._source else iter(())


def migrate_ledger(settings: Settings) -> int:
    """Apply the missing migrations; return their number."""
    with closing(settings.clickhouse.connected()) as clickhouse:
        return migrate(clickhouse)
