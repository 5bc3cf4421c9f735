"""Checks a ledger on a server independently: the chain, the heads, every record exactly once."""

from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass

from schemas.dsse import Envelope
from schemas.record import PartitionId, Record
from schemas.topics import TOPICS, Topic
from streams.kafka.broker import Broker
from streams.kafka.loop import LoopThread
from streams.kafka.reader import replay
from streams.ledger.chain import Entry
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.entry import entry_of
from streams.ledger.heads import HeadKey
from streams.ledger.ordering import LEDGER_TOPICS
from streams.ledger.verify_sql import verify
from tests.harness.broker.ledger_servers import DATABASE, as_user
from tools.local.clickhouse import ClickHouse as LocalServer


@dataclass(frozen=True)
class LedgerJudge:
    """Compares the rows on the server with the records on Kafka."""

    broker: Broker
    server: LocalServer
    head_key: HeadKey
    partitions: int
    database: str = DATABASE

    def rows(self) -> int:
        with closing(ClickHouse.server(as_user(self.server), self.database)) as clickhouse:
            return int(clickhouse.rows("SELECT count() FROM ledger")[0][0])

    def records(self) -> list[Record]:
        """Read every committed record of every topic that the ledger stores."""
        return self._kept_on(LEDGER_TOPICS)

    def judge(self) -> None:
        """Recompute everything: each record once and unchanged, the chain, the published heads.

        Records written meanwhile may be missing.
        """
        before = self._entries()
        with closing(ClickHouse.server(as_user(self.server), self.database)) as clickhouse:
            heads = [self.head_key.open(head) for head in self.heads()]
            assert verify(clickhouse, heads).rows >= before.total()
            stored = clickhouse.rows(
                "SELECT topic, partition, offset, key, at_ms, event_id, body FROM ledger"
            )
        found = Counter(Entry._make((*row[:6], row[6].encode())) for row in stored)
        assert before <= found <= self._entries()

    def _entries(self) -> Counter[Entry]:
        return Counter(entry_of(record) for record in self.records())

    def heads(self) -> list[Envelope]:
        """Return every head on Kafka."""
        return [Envelope.decode(record.value) for record in self._kept_on((Topic.HEADS,))]

    def _kept_on(self, topics: Iterable[Topic]) -> list[Record]:
        """Read topics up to their current ends, however slow Kafka is."""
        places = [
            (topic, number)
            for topic in topics
            for number in range(self.partitions if TOPICS[topic].keyed else 1)
        ]
        with closing(LoopThread("outside")) as loop:
            return loop.run(self._replayed(places))

    async def _replayed(self, places: Iterable[PartitionId]) -> list[Record]:
        return [record async for record in replay(self.broker, places)]
