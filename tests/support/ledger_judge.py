"""The ledger on a server, judged from outside: chain, heads, and every record in it once."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from infra.local.clickhouse import ClickHouse as LocalServer
from schemas.dsse import Envelope
from schemas.record import Place, Record
from schemas.topics import Topic
from streams.kafka.broker import Broker
from streams.kafka.loop import LoopThread
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.entry import entry_of
from streams.ledger.heads import HeadKey
from streams.ledger.kafka_source import KafkaSource
from streams.ledger.ordering import LEDGER_TOPICS, advance, by_place
from streams.ledger.verify_sql import verify
from tests.support.ledger_servers import as_user


@dataclass(frozen=True)
class LedgerJudge:
    """Compares what the server holds with what Kafka holds."""

    broker: Broker
    server: LocalServer
    head_key: HeadKey

    def rows(self) -> int:
        with closing(ClickHouse.server(as_user(self.server))) as clickhouse:
            return int(clickhouse.rows("SELECT count() FROM ledger")[0][0])

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
            heads = [self.head_key.open(head) for head in self.heads()]
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
            closing(KafkaSource(loop, self.broker, topics)) as source,
        ):
            yield source
