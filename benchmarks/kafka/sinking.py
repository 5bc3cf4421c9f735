"""CPU time and lag of the ledger's sink, fed with real records at the pipeline's rate."""

import asyncio
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import cycle, islice
from typing import NamedTuple

from benchmarks.kafka.organisation import Organisation, cpu_s, wait_until
from benchmarks.kafka.saturation import SIGNED_PER_S_MIN
from benchmarks.kafka.sizes import Sizes
from benchmarks.measure import Figure
from schemas.record import Outgoing
from schemas.topics import Topic
from streams.gates.stages import GATE_OF
from streams.kafka.broker import Broker
from streams.kafka.producer import Sender
from streams.kafka.reader import Reader
from streams.ledger.clickhouse import ClickHouse
from tools.local.processes import PARTITIONS

PER_INTENT = (*GATE_OF, Topic.DECIDED, Topic.OUTCOMES, Topic.SIGNED)
CORE_MAX, LAG_S_MAX = 0.25, 2.0
CHUNK_S, LOOK_S = 0.05, 0.05
RECORDED, QUIET_S = 2_000, 1.5


class Point(NamedTuple):
    """The number of records at a time, in seconds."""

    at_s: float
    records: int


def figures(org: Organisation, sizes: Sizes, signed_per_s: float) -> Iterator[Figure]:
    """Yield the sink's rows, at the record rate of ``signed_per_s`` or the required minimum."""
    per_s = max(signed_per_s, SIGNED_PER_S_MIN) * len(PER_INTENT)
    records = asyncio.run(_recorded(org))
    with closing(org.clickhouse()) as clickhouse, org.running(org.ledger):
        start = catch_up(org, clickhouse)
        before_s = cpu_s(org.ledger)
        with _sampling_rows(clickhouse) as rows:
            fed = asyncio.run(_feed(org, records, per_s, sizes.fed_s))
            catch_up(org, clickhouse)
        core = (cpu_s(org.ledger) - before_s) / (rows[-1].at_s - fed[0].at_s)
    lag_s = _lag_s_p99(fed, [Point(at_s, found - start) for at_s, found in rows])
    what = f"at {per_s:,.0f} records/s, all records of the saturated pipeline"
    yield Figure(
        "sink", f"CPU {what}", core * 100, "% of a core", "limit", CORE_MAX * 100,
        f"at most {CORE_MAX:.0%} of one core", core <= CORE_MAX,
    )  # fmt: skip
    yield Figure(
        "sink", f"lag {what}, p99", lag_s, "s", "limit", LAG_S_MAX,
        f"at most {LAG_S_MAX:g} s", lag_s <= LAG_S_MAX,
    )  # fmt: skip


async def _recorded(org: Organisation) -> list[Outgoing]:
    """Return the pipeline's records of some intents, in pipeline order."""
    by_topic = [await _first(org.broker, topic, org) for topic in PER_INTENT]
    return [record for of_one_intent in zip(*by_topic, strict=False) for record in of_one_intent]


async def _first(broker: Broker, topic: Topic, org: Organisation) -> list[Outgoing]:
    found: list[Outgoing] = []
    partitions = range(org.folder.trust().partitions)
    async with Reader(broker, {(topic, number): 0 for number in partitions}) as reader:
        while len(found) < RECORDED and (page := await reader.read(RECORDED)):
            found += [Outgoing(r.topic, r.key, r.value) for r in page]
    return found


async def _feed(
    org: Organisation, records: Sequence[Outgoing], per_s: float, for_s: float
) -> list[Point]:
    endless, total = cycle(records), 0
    fed: list[Point] = []
    partitions = org.folder.trust().partitions
    async with Sender(org.broker, lambda: partitions) as sender:
        start = time.monotonic()
        while (elapsed_s := time.monotonic() - start) < for_s:
            due = int(elapsed_s * per_s) - total
            await sender.send(list(islice(endless, due)))
            total += due
            fed.append(Point(time.monotonic(), total))
            await asyncio.sleep(CHUNK_S)
    return fed


@contextmanager
def _sampling_rows(clickhouse: ClickHouse) -> Iterator[list[Point]]:
    """Sample the number of rows in a thread until the block ends."""
    found, ended = [Point(time.monotonic(), stored(clickhouse))], threading.Event()

    def sample() -> None:
        while not ended.wait(LOOK_S):
            rows = stored(clickhouse)
            found.append(Point(time.monotonic(), rows))

    sampling = threading.Thread(target=sample)
    sampling.start()
    try:
        yield found
    finally:
        ended.set()
        sampling.join()


def catch_up(org: Organisation, clickhouse: ClickHouse) -> int:
    """Send a record, wait until it is a row and no more rows follow; return the row count."""
    audits = _audits(clickhouse)
    send_audit(org)
    wait_until(lambda: _audits(clickhouse) > audits)
    before, now = -1, stored(clickhouse)
    while now != before:
        time.sleep(QUIET_S)
        before, now = now, stored(clickhouse)
    return now


def send_audit(org: Organisation) -> None:
    """Append a record without meaning to the topic ``audit``."""

    async def send() -> None:
        async with Sender(org.broker, lambda: PARTITIONS) as sender:
            await sender.send([Outgoing(Topic.AUDIT, "", b"of the benchmark")])

    asyncio.run(send())


def stored(clickhouse: ClickHouse) -> int:
    """Return the ledger's row count."""
    return int(clickhouse.rows("SELECT count() FROM ledger")[0][0])


def _audits(clickhouse: ClickHouse) -> int:
    return int(clickhouse.rows("SELECT count() FROM ledger WHERE topic = 'audit'")[0][0])


def _lag_s_p99(fed: Sequence[Point], rows: Sequence[Point]) -> float:
    """Return the 99th percentile of the time from sending a record to its row, in seconds."""
    counts = [point.records for point in rows]
    assert counts[-1] >= fed[-1].records, "the ledger lacks what it was fed"
    lags = sorted(rows[bisect_left(counts, p.records)].at_s - p.at_s for p in fed)
    return lags[len(lags) * 99 // 100]
