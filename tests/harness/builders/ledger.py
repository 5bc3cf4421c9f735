"""Records of a pipeline, a log in memory, and ledgers, intact and tampered with."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.canonical import event_id
from schemas.dsse import INTENT_TYPE, Envelope, pae, signed_envelope
from schemas.intents.clearance import Clearance, Verdict
from schemas.intents.intent import TransactionIntent, intent_digest
from schemas.intents.outcome import IntentRejected, TransactionSigned
from schemas.intents.reasons import Gate, Reason
from schemas.record import PartitionId, Record
from schemas.redaction import redacted, signed_part
from schemas.topics import Topic
from signer.custody.event_signing import Ed25519Signer
from streams.ledger.chain import EMPTY, Entry, Tip, hashes
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.embedded import open_folder
from streams.ledger.entry import entry_of
from streams.ledger.heads import HeadKey
from streams.ledger.migrations import migrate
from streams.ledger.table import LedgerTable, batch_of
from streams.ledger.verifier import Row

ORG = "acme"
START_MS = 1_790_000_000_000
AGENT_KEY = Ed25519PrivateKey.from_private_bytes(b"a" * 32)
SIGNER_KEY = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
SIGNER_PUBLIC = SIGNER_KEY.public_key().public_bytes_raw()
LEDGER_KEY = Ed25519PrivateKey.from_private_bytes(b"l" * 32)
LEDGER_PUBLIC = LEDGER_KEY.public_key().public_bytes_raw()
HEAD_KEY = HeadKey(Ed25519Signer("ledger-1", b"l" * 32))
STAGES = (
    Topic.ADMITTED,
    Topic.ALLOWLISTED,
    Topic.CAPPED,
    Topic.WITHIN_LIMIT,
    Topic.CHAIN_CLEARED,
    Topic.DECIDED,
)

Outcome = TransactionSigned | IntentRejected


@dataclass
class Pipeline:
    """Writes a pipeline's records: offsets without gaps, outcomes with dense sequence numbers."""

    accounts: int = 4
    records: list[Record] = field(default_factory=list)
    _ends: dict[Topic, int] = field(default_factory=dict)
    _sequences: dict[str, int] = field(default_factory=dict)

    def append(self, topic: Topic, key: str, value: bytes, at_ms: int = START_MS) -> Record:
        offset = self._ends.get(topic, 0)
        self._ends[topic] = offset + 1
        record = Record(topic, 0, offset, key, value, at_ms)
        self.records.append(record)
        return record

    def run(self, count: int, first: int = 0) -> list[Record]:
        """Append nine records for each of ``count`` intents; every fifth intent is rejected."""
        before = len(self.records)
        for n in range(first, first + count):
            self._intent(n)
        return self.records[before:]

    def _intent(self, n: int) -> None:
        at_ms = START_MS + n * 1000
        intent = sample_intent(n, f"account-{n % self.accounts}")
        key, envelope, name = intent.account, sealed(intent), intent_digest(intent.encode())
        self.append(Topic.SUBMITTED, key, envelope.encode(), at_ms)
        for clearance, topic in clearances(name, envelope, at_ms):
            self.append(topic, key, clearance.encode(), at_ms)
        sequence = self._sequences.get(intent.account, 0) + 1
        self._sequences[intent.account] = sequence
        outcome = sample_outcome(n, intent, sequence, at_ms + 5)
        self.append(Topic.OUTCOMES, key, outcome.encode(), at_ms + 5)
        if isinstance(outcome, TransactionSigned):
            self.append(Topic.SIGNED, key, outcome.encode(), at_ms + 5)


def sample_intent(n: int, account: str) -> TransactionIntent:
    return TransactionIntent(
        org=ORG,
        account=account,
        agent=f"agent-{n % 3}",
        chain_id=8453,
        to="0x" + f"{n % 7:040x}",
        value_wei=10**17 + n,
        data="0xa9059cbb" + "00" * 64,
        simulate_first=True,
        key_path="wallets/main/hot",
        idempotency_key=f"invoice-{n:08d}",
        expires_at_ms=START_MS + n * 1000 + 600_000,
    )


def sealed(intent: TransactionIntent) -> Envelope:
    body = intent.encode()
    return signed_envelope(INTENT_TYPE, body, intent.agent, AGENT_KEY.sign(pae(INTENT_TYPE, body)))


def clearances(name: str, envelope: Envelope, at_ms: int) -> Iterator[tuple[Clearance, Topic]]:
    verdicts: tuple[Verdict, ...] = ()
    for gate, topic in zip(Gate, STAGES, strict=False):
        verdicts += (Verdict(gate=gate, at_ms=at_ms, passed=True),)
        own_id = event_id(topic.value, name)
        yield Clearance(id=own_id, intent=name, envelope=envelope, verdicts=verdicts), topic


def sample_outcome(n: int, intent: TransactionIntent, sequence: int, at_ms: int) -> Outcome:
    name = intent_digest(intent.encode())
    shared = {
        "id": event_id("outcome", name),
        "org": intent.org,
        "account": intent.account,
        "agent": intent.agent,
        "intent": name,
        "idempotency_key": intent.idempotency_key,
        "sequence": sequence,
        "decided_at_ms": at_ms,
        "signer": "signer-1",
        "chain_id": intent.chain_id,
        "to": intent.to,
        "value_wei": intent.value_wei,
    }
    if n % 5 == 4:
        return signed(IntentRejected.model_validate(shared | _REJECTION))
    spent = {"spent_wei": intent.value_wei, "day_spent_wei": intent.value_wei}
    own = spent | {"nonce": n, "transaction_hash": "0x" + f"{n:064x}"}
    return signed(TransactionSigned.model_validate(shared | _SIGNATURE | own))


_REJECTION = {
    "gate": Gate.VALUE_CAP,
    "reason": Reason.VALUE_TOO_HIGH,
    "detail": "The value is over the cap of one transaction.",
}
_SIGNATURE = {
    "sender": "0x" + "aa" * 20,
    "data": "0xa9059cbb" + "00" * 64,
    "gas_limit": 65_000,
    "max_fee_per_gas_wei": 2 * 10**9,
    "max_priority_fee_per_gas_wei": 10**9,
    "gas_from": "simulation",
    "fees_from": "chain-defaults",
    "key_path": "wallets/main/hot",
    "key_version": 1,
    "raw_transaction": "0x02f8" + "ab" * 180,
}


def signed(event: Outcome, key: Ed25519PrivateKey = SIGNER_KEY) -> Outcome:
    part = signed_part(redacted(event.model_dump(exclude_none=True, exclude={"signature"})))
    return event.model_copy(update={"signature": "0x" + key.sign(part).hex()})


class MemoryLog:
    """A log that can lose records at its beginning and its end."""

    def __init__(self, records: Sequence[Record] = ()) -> None:
        self.records = list(records)
        self.first: dict[PartitionId, int] = {}

    def read(self, positions: Mapping[PartitionId, int], limit: int) -> list[Record]:
        kept = (
            record
            for record in self.records
            if record.offset >= positions.get(_place(record), 0)
            and record.offset >= self.first.get(_place(record), 0)
        )
        return [record for record, _ in zip(kept, range(limit), strict=False)]

    def earliest(self, topic: Topic, partition: int) -> int:
        return self.first.get((topic, partition), 0)

    def end(self, topic: Topic, partition: int) -> int:
        return max(
            (r.offset + 1 for r in self.records if _place(r) == (topic, partition)), default=0
        )


def _place(record: Record) -> PartitionId:
    return record.topic, record.partition


def chained(entries: Sequence[Entry], base: Tip = EMPTY) -> list[Row]:
    """Return the chained rows of entries."""
    own = hashes(base, entries)
    links = [base.hash, *own][: len(own)]
    numbers = range(base.rows, base.rows + len(own))
    return [
        Row(n, link, value, *entry)
        for n, link, value, entry in zip(numbers, links, own, entries, strict=True)
    ]


def rows_of(records: Sequence[Record]) -> list[Row]:
    return chained([entry_of(record) for record in records])


def filled(clickhouse: ClickHouse, records: Sequence[Record]) -> LedgerTable:
    """Append records to a ledger as one batch."""
    table = LedgerTable(clickhouse, ORG)
    table.append(batch_of(table.tip(), [entry_of(record) for record in records]))
    return table


def put(clickhouse: ClickHouse, row: Row) -> None:
    """Insert a row as an attacker with a database client does."""
    values = ", ".join(
        f"unhex('{(value if isinstance(value, bytes) else value.encode()).hex()}')"
        if isinstance(value, bytes | str)
        else str(value)
        for value in row
    )
    clickhouse.command(f"INSERT INTO ledger ({', '.join(Row._fields)}) SELECT {values}")


@contextmanager
def engine(folder: Path) -> Iterator[Callable[[], ClickHouse]]:
    """Open a folder and yield a function that makes a new migrated database.

    A process can open one folder at a time, so everything is closed at the end.
    """
    opened: list[ClickHouse] = []

    def fresh() -> ClickHouse:
        opened.append(open_folder(folder, f"ledger_{len(opened)}"))
        migrate(opened[-1])
        return opened[-1]

    try:
        yield fresh
    finally:
        for clickhouse in opened:
            clickhouse.close()


ROWS = rows_of(Pipeline().run(20))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"o" * 32)


def changed(seq: int, **fields: Any) -> list[Row]:
    return [row._replace(**fields) if row.seq == seq else row for row in ROWS]


def outcomes(*values: bytes, topic: Topic = Topic.OUTCOMES) -> list[Row]:
    return rows_of([Record(topic, 0, n, "a", value, 0) for n, value in enumerate(values)])


def outcome(n: int, sequence: int, key: Ed25519PrivateKey | None = None) -> bytes:
    made = sample_outcome(n, sample_intent(n, "treasury"), sequence, 7)
    return (signed(made, key) if key else made).encode()


def jsonl(rows: Sequence[Row]) -> bytes:
    """Return rows as an export writes them, one line of JSON each."""
    return b"".join(
        orjson.dumps(
            {
                **row._asdict(),
                "prev_hash": "0x" + row.prev_hash.hex(),
                "hash": "0x" + row.hash.hex(),
                "body": row.body.decode(),
            }
        )
        + b"\n"
        for row in rows
    )
