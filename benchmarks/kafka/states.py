"""Generates years of state in a minute: writes it directly, with the codecs of its owners."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import closing

from aiokafka import AIOKafkaProducer

from benchmarks import fixtures
from benchmarks.kafka.organisation import Organisation
from schemas.canonical import digest
from schemas.partition import partition_of
from schemas.record import PartitionId, Record
from schemas.topics import Topic
from signer.core.account import Account, LiveIntent, owner_key
from signer.core.nonces import nonce_key
from signer.core.window import DAY_MS, Window
from signer.stage.state import StateKey, StateMac, StateWrite
from sixgate.clocks import wall_ms
from sixgate.data_folder.folder import LEDGER
from sixgate.data_folder.key_files import load_key_file
from sixgate.services.slot import open_signer_keys
from streams.kafka.state import key_of, value_of
from streams.ledger.heads import HeadFile, HeadKey
from streams.ledger.sink import Sink
from streams.ledger.table import LedgerTable

SENT_TOGETHER = 10_000
AUDIT: PartitionId = (Topic.AUDIT, 0)
FILLER = b"x"  # opaque to the ledger: a row like any other


async def many_accounts(org: Organisation, accounts: int) -> None:
    """Write state of accounts that each signed one intent today: its head and live record."""
    state_mac = StateMac(open_signer_keys(org.folder).state_key)
    partitions = org.folder.trust().partitions
    async with org.broker.producer() as producer:
        sent: list[asyncio.Future[object]] = []
        for number in range(accounts):
            name = f"idle-{number}"
            at = partition_of(name, partitions)
            for write in _one_account(state_mac, name):
                value, key = value_of(write), key_of(write.key)
                sent.append(await producer.send(Topic.STATE.value, value, key, at))
            if len(sent) > SENT_TOGETHER:
                await asyncio.gather(*sent)
                sent.clear()
        await asyncio.gather(*sent)


def _one_account(state_mac: StateMac, name: str) -> Iterator[StateWrite]:
    now_ms, spent = wall_ms(), Window()
    intent = digest("bench", name.encode())
    live = LiveIntent(
        account=name, intent=intent, agent="idle", idempotency_key=name, sequence=1,
        expires_at_ms=now_ms + DAY_MS, decided_at_ms=now_ms, forget_at_ms=now_ms + DAY_MS,
    )  # fmt: skip
    place = StateKey(name, "live", owner_key("idle", name))
    protected = state_mac.protect(place, live.encode())
    yield StateWrite(place, protected, pending=False, forget_at_ms=live.forget_at_ms)
    head = Account(
        account=name, sequence=1, spent=spent.add(now_ms, 10**12, DAY_MS),
        nonces={nonce_key(fixtures.RECIPIENT, 8453): 0}, live_count=1,
        live_digest=state_mac.set_digest(state_mac.element(protected)),
    )  # fmt: skip
    place = StateKey(name, "head", "")
    yield StateWrite(place, state_mac.protect(place, head.encode()))


def many_rows(org: Organisation, rows: int) -> None:
    """Append small records to the topic ``audit`` and to the ledger, which has caught up."""
    asyncio.run(_fill_log(org, rows))
    settings = org.ledger_settings()
    with closing(org.clickhouse()) as clickhouse:
        table = LedgerTable(clickhouse, settings.org, settings.chain)
        source = _Repeated(table.positions().get(AUDIT, 0), rows)
        key = HeadKey(load_key_file(org.folder.key(LEDGER), LEDGER))
        with closing(Sink(source, table, HeadFile(settings.heads), key, wall_ms)) as sink:
            while sink.step():
                continue


async def _fill_log(org: Organisation, rows: int) -> None:
    """Send prebuilt batches: sending records one by one takes ten times as long."""
    producer: AIOKafkaProducer = org.broker.producer()
    async with producer:
        left = rows
        while left:
            batch, count = producer.create_batch(), 0
            while count < left and batch.append(key=None, value=FILLER, timestamp=None):
                count += 1
            await (await producer.send_batch(batch, Topic.AUDIT.value, partition=0))
            left -= count


class _Repeated:
    """A source that repeats one record, from an offset of ``audit`` on."""

    def __init__(self, first: int, rows: int) -> None:
        self._first = first
        self._end = first + rows

    def read(self, positions: Mapping[PartitionId, int], limit: int) -> list[Record]:
        start = positions.get(AUDIT, 0)
        offsets = range(start, min(start + limit, self._end))
        return [Record(*AUDIT, offset, "", FILLER, wall_ms()) for offset in offsets]

    def earliest(self, topic: Topic, partition: int) -> int:  # noqa: ARG002 - records are never deleted
        return 0

    def end(self, topic: Topic, partition: int) -> int:
        return self._end if (topic, partition) == AUDIT else 2**53
