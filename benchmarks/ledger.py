"""The ledger alone: appending in batches, and both verifiers, against plain hashing."""

import hashlib
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import fixtures
from benchmarks.measure import Figure, seconds
from schemas.record import Outgoing, PartitionId, Record
from schemas.topics import Topic
from signer.custody.event_signing import Ed25519Signer
from sixgate.clocks import wall_ms
from sixgate.services.embedded.assembly import assemble
from streams.ledger.embedded import open_folder
from streams.ledger.heads import HeadFile, HeadKey
from streams.ledger.migrations import migrate
from streams.ledger.sink import Sink
from streams.ledger.table import LedgerTable
from streams.ledger.verifier import Row
from streams.ledger.verifier import verify as verify_in_python
from streams.ledger.verify_sql import verify as verify_in_sql

INTENTS = 3_000
ROUNDS = 3
COPIES = 8
APPEND_MIN, SQL_MIN, PYTHON_MIN = 50_000, 500_000, 100_000


class Recorded:
    """A log of real records, dense from offset 0 in every partition."""

    def __init__(self, records: list[Record]) -> None:
        self._places: dict[PartitionId, list[Record]] = defaultdict(list)
        for record in records:
            self._places[(record.topic, record.partition)].append(record)

    def read(self, positions: Mapping[PartitionId, int], limit: int) -> list[Record]:
        share = limit // len(self._places)
        starts = {place: positions.get(place, 0) for place in self._places}
        parts = (self._places[p][start : start + share] for p, start in starts.items())
        return [record for part in parts for record in part]

    def earliest(self, topic: Topic, partition: int) -> int:  # noqa: ARG002 - nothing is ever deleted
        return 0

    def end(self, topic: Topic, partition: int) -> int:
        return len(self._places.get((topic, partition), ()))


def figures() -> Iterator[Figure]:
    """Yield the rows of this group; the peer is SHA-256 over the same bodies in one thread."""
    records = _records()
    peer = len(records) / seconds(lambda: [hashlib.sha256(r.value).digest() for r in records])
    with TemporaryDirectory() as directory:
        clickhouse = open_folder(Path(directory) / "ledger")
        migrate(clickhouse)
        table = LedgerTable(clickhouse, "bench")
        heads = HeadFile(Path(directory) / "heads.jsonl")
        sink = Sink(Recorded(records), table, heads, HeadKey(_key()), wall_ms)
        append = len(records) / seconds(lambda: _append_all(sink))
        in_sql = len(records) / _median(lambda: verify_in_sql(clickhouse))
        rows = [Row(*row) for row in table.rows()]
        in_python = len(records) / _median(lambda: verify_in_python(rows))
        sink.close()
        clickhouse.close()
    for what, rate, least in (
        (f"append {len(records):,} real records in batches", append, APPEND_MIN),
        ("verify in SQL", in_sql, SQL_MIN),
        ("verify in Python, rows in memory", in_python, PYTHON_MIN),
    ):
        yield Figure(
            "ledger", what, rate, "rows/s", "SHA-256 over the bodies", peer,
            f"at least {least:,}", rate >= least,
        )  # fmt: skip


def _median(work: Callable[[], object]) -> float:
    """Return the median duration in seconds, after one warm-up round."""
    work()
    return statistics.median(seconds(work) for _ in range(ROUNDS))


def _append_all(sink: Sink) -> None:
    while sink.step():
        continue


def _key() -> Ed25519Signer:
    return Ed25519Signer("ledger-0", bytes(32))


def _records() -> list[Record]:
    """Return the records that the pipeline wrote for ``INTENTS`` intents, ``COPIES`` times."""
    agent = fixtures.new_agent()
    written: list[Outgoing] = []
    with TemporaryDirectory() as directory:
        folder = fixtures.make_folder(Path(directory) / "data", agent)
        parts = assemble(folder, written.extend)
        parts.start()
        values = [Outgoing(Topic.SUBMITTED, fixtures.ACCOUNT, raw) for raw in
                  fixtures.signed(agent, map(str, range(INTENTS)))]  # fmt: skip
        parts.inbox.append(values, 0)
        while parts.runner.step():
            continue
        parts.close()
    return _numbered([event for _ in range(COPIES) for event in written])


def _numbered(events: list[Outgoing]) -> list[Record]:
    ends: dict[Topic, int] = {}
    records = []
    for event in events:
        offset = ends.get(event.topic, 0)
        ends[event.topic] = offset + 1
        records.append(Record(event.topic, 0, offset, event.key, event.value, offset))
    return records
