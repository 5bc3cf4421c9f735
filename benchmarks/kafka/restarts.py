"""Restart time: from starting a killed process to its first result."""

import asyncio
import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice

from benchmarks.kafka.accounts import signed_intents
from benchmarks.kafka.load import DECIDED, OURS, LoadClient, Route
from benchmarks.kafka.organisation import Organisation, wait_until
from benchmarks.kafka.sinking import catch_up, send_audit, stored
from benchmarks.kafka.sizes import Sizes
from benchmarks.kafka.states import many_accounts, many_rows
from benchmarks.measure import Figure
from streams.ledger.clickhouse import ClickHouse
from tools.local.processes import PARTITIONS
from tools.local.server import Server

RESTART_S_MAX = 3.0


def figures(org: Organisation, sizes: Sizes) -> Iterator[Figure]:
    """Yield one row per process."""
    with org.running(org.gates, org.signer):
        took_s = [_restart_s(org, DECIDED, org.gates) for _ in range(sizes.rounds)]
    yield _figure("gates", took_s)
    asyncio.run(many_accounts(org, sizes.state_accounts))
    with org.running(org.gates, org.signer):
        took_s = [_restart_s(org, OURS, org.signer) for _ in range(sizes.rounds)]
    yield _figure(f"signer, with {sizes.state_accounts:,} accounts of state", took_s)
    yield _figure(f"sink, with {sizes.ledger_rows:,} rows", _sink(org, sizes))


def _figure(what: str, took_s: list[float]) -> Figure:
    value = statistics.median(took_s)
    return Figure(
        "restart", f"{what}, from restart to the first result", value, "s", "allowed",
        RESTART_S_MAX, f"at most {RESTART_S_MAX:g} s", value <= RESTART_S_MAX,
    )  # fmt: skip


def _restart_s(org: Organisation, route: Route, server: Server) -> float:
    """Kill a process, submit an intent, start it again; return the seconds to its result."""

    async def first() -> float:
        intents = list(islice(signed_intents(org.traders), 2))
        async with LoadClient(org.broker, route, PARTITIONS) as client:
            await client.paced(intents[:1], 1)  # the process works
            server.kill()
            watching = asyncio.create_task(client.paced(intents[1:], 1))
            await asyncio.sleep(1.0)  # let the intent reach the killed process's input
            start = time.perf_counter()
            server.launch()
            (seen,) = await watching
            return seen.seen_s - start

    return asyncio.run(first())


def _sink(org: Organisation, sizes: Sizes) -> list[float]:
    with closing(org.clickhouse()) as clickhouse:
        with org.running(org.ledger):
            catch_up(org, clickhouse)
        many_rows(org, sizes.ledger_rows)
        with org.running(org.ledger):
            return [_sink_restart_s(org, clickhouse) for _ in range(sizes.rounds)]


def _sink_restart_s(org: Organisation, clickhouse: ClickHouse) -> float:
    rows = catch_up(org, clickhouse)
    org.ledger.kill()
    send_audit(org)
    start = time.perf_counter()
    org.ledger.launch()
    wait_until(lambda: stored(clickhouse) > rows)
    return time.perf_counter() - start
