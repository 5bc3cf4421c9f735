"""Ledger answers of the Kafka API: caught up with Kafka, with heads from their topic."""

import time
from collections.abc import Iterator, Sequence

from schemas.dsse import Envelope
from schemas.topics import Topic
from sixgate.answers.ledger_answers import LedgerAnswers
from sixgate.api import ApiError, Json
from sixgate.backends.kafka.bus import Bus
from sixgate.backends.kafka.ledger_evidence import HEADS, KafkaEvidence, published_heads
from sixgate.backends.kafka.ledger_lag import LEDGER_TOPICS, LedgerLag
from sixgate.data_folder.folder import LEDGER
from streams.ledger.clickhouse import ClickHouse

NEWEST_COUNT = 1_000
HEAD_S_MAX = 10.0
POLL_S = 0.05


class ScaledLedger:
    """Lends ``answers`` from a ledger that has caught up with Kafka; any thread may call."""

    def __init__(
        self,
        clickhouse: ClickHouse,
        bus: Bus,
        late_s_max: float,
        topics: Sequence[Topic] = LEDGER_TOPICS,
    ) -> None:
        """Take over the connection; ``topics`` must be in the ledger before it answers.

        Raises ``halted`` if the registry lacks a signer or ledger.
        """
        self._clickhouse = clickhouse
        self._bus = bus
        with bus.refreshed():
            signer_keys = bus.registry.signer_keys
            ledger = bus.registry.service_key("ledger", LEDGER)
        if not (signer_keys and ledger):
            lacking = "signer" if not signer_keys else "active ledger"
            raise ApiError("halted", f"the registry names no {lacking}: see sixgate services")
        self.answers = LedgerAnswers(clickhouse, bus.registry.org, signer_keys, ledger)
        self._lag = LedgerLag(bus, self.answers.table, late_s_max, topics)

    def settled(self) -> LedgerAnswers:
        """Return the answers once the ledger holds everything that is committed now."""
        self._lag.settle()
        return self.answers

    def head(self) -> Json:
        """Return the newest signed head; wait a while until it covers the newest row."""
        rows = self.settled().table.tip().rows
        until_s = time.monotonic() + HEAD_S_MAX
        while True:
            newest = self._newest()
            if (newest and newest[0] >= rows - 1) or not rows or time.monotonic() > until_s:
                return self.answers.head(newest[1] if newest else None)
            time.sleep(POLL_S)

    def verify(self, remembered: Json | None) -> Iterator[Json]:
        """Verify with both verifiers against every published head, and new rows against Kafka."""
        evidence = KafkaEvidence(self._bus, self.answers.opened, self._lag.settle)
        yield from self.answers.verify(evidence, remembered)

    def close(self) -> None:
        """Close the connection."""
        self._clickhouse.close()

    def _newest(self) -> tuple[int, Envelope] | None:
        first, end = self._bus.first_offsets([HEADS])[HEADS], self._bus.end_offsets([HEADS])[HEADS]
        found = published_heads(self._bus, max(first, end - NEWEST_COUNT), self.answers.opened)
        last = ((head.sequence, envelope) for _, head, envelope in found)
        return max(last, key=lambda pair: pair[0], default=None)
