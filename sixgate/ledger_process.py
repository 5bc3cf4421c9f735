"""The ledger's sink as a process of its own: from Kafka into a ClickHouse server.

Whatever fails ends the process; the next one goes on from the table's own last row.
"""

import threading
from collections.abc import Callable
from contextlib import ExitStack, closing

from sixgate.keyfiles import load_key_file
from sixgate.settings.ledger import LedgerSettings
from streams.kafka.loop import LoopThread
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.heads import HeadFile, HeadKey
from streams.ledger.kafka_heads import KafkaHeads, PublishedHeads
from streams.ledger.kafka_source import KafkaSource
from streams.ledger.migrations import migrate, refuse_unmigrated
from streams.ledger.sink import Sink
from streams.ledger.table import LedgerTable


def run_ledger(
    settings: LedgerSettings,
    stop: threading.Event,
    now_ms: Callable[[], int],
    appended: Callable[[int], None] = lambda _count: None,
) -> None:
    """Append what comes on every topic until ``stop`` is set; tell ``appended`` of every step.

    Raises ``SettingsWrong``, ``KeyFileError``, ``LedgerError``, ``KafkaFault``.
    """
    with ExitStack() as opened:
        sink = open_sink(settings, now_ms, opened)
        appended(0)
        while not stop.is_set():
            appended(sink.step())


def open_sink(settings: LedgerSettings, now_ms: Callable[[], int], opened: ExitStack) -> Sink:
    """Return a sink that goes on from the table; all it holds is closed by ``opened``."""
    own = settings.sink()
    key = HeadKey(load_key_file(own.key, own.key_name))
    clickhouse = opened.enter_context(closing(connected(settings)))
    refuse_unmigrated(clickhouse)
    loop = opened.enter_context(closing(LoopThread("ledger-kafka")))
    broker = settings.kafka.broker()
    source = opened.enter_context(closing(KafkaSource(loop, broker)))
    kafka = opened.enter_context(closing(KafkaHeads(loop, broker)))
    heads = PublishedHeads(HeadFile(own.heads), kafka, key.open)
    sink = Sink(source, LedgerTable(clickhouse, own.org, own.chain), heads, key, now_ms)
    opened.callback(sink.close)
    return sink


def migrate_ledger(settings: LedgerSettings) -> int:
    """Make the tables that are missing; return how many files that took."""
    with closing(connected(settings)) as clickhouse:
        return migrate(clickhouse)


def connected(settings: LedgerSettings) -> ClickHouse:
    """Connect to the server; raises ``LedgerUnavailable``, ``LedgerDenied``."""
    return ClickHouse.server(settings.clickhouse.server(), settings.clickhouse.database)
