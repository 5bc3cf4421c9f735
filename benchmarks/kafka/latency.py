"""Latency from submit to signed, against a relay with the same number of hops."""

import asyncio
import statistics
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from benchmarks.kafka.accounts import signed_intents
from benchmarks.kafka.load import OURS, RELAY, LoadClient, Route, Timing
from benchmarks.kafka.organisation import Organisation
from benchmarks.kafka.sizes import Sizes
from benchmarks.measure import Figure
from tools.local.processes import PARTITIONS

RATIO_MAX = {50: {"p50": 3, "p99": 5}, 200: {"p50": 5, "p99": 5}}
ROUTES = {"ours": OURS, "relay": RELAY}


class Round(NamedTuple):
    """Latency percentiles of one round, in ms."""

    p50: float
    p99: float


def figures(org: Organisation, sizes: Sizes) -> Iterator[Figure]:
    """Yield one row per rate and percentile."""
    relays = org.relays("plain")
    with org.running(org.gates, org.signer, *relays):
        rounds = asyncio.run(_rounds(org, sizes))
    for rate, bounds in RATIO_MAX.items():
        for name, ratio_max in bounds.items():
            ours, relay = (
                statistics.median(getattr(one, name) for one in rounds[(route, rate)])
                for route in ROUTES
            )
            yield Figure(
                "end to end",
                f"from submit to signed at {rate} intents/s, {name}",
                ours,
                "ms",
                "plain relay, same number of hops",
                relay,
                f"at most {ratio_max} times the peer's",
                ours <= ratio_max * relay,
            )


async def _rounds(org: Organisation, sizes: Sizes) -> Mapping[tuple[str, int], list[Round]]:
    rounds: dict[tuple[str, int], list[Round]] = {
        (route, rate): [] for rate in RATIO_MAX for route in ROUTES
    }
    for warming in ROUTES.values():
        await _paced(org, warming, 200, sizes.warm_up)
    for _ in range(sizes.rounds):
        for (route, rate), measured in rounds.items():
            timings = await _paced(org, ROUTES[route], rate, round(sizes.paced_s * rate))
            measured.append(_round(timings))
    return rounds


async def _paced(org: Organisation, route: Route, rate: int, intents: int) -> list[Timing]:
    records = list(islice(signed_intents(org.traders), intents))
    async with LoadClient(org.broker, route, PARTITIONS) as client:
        return await client.paced(records, rate)


def _round(timings: Sequence[Timing]) -> Round:
    times_ms = sorted((one.seen_s - one.sent_s) * 1000 for one in timings)
    return Round(times_ms[len(times_ms) // 2], times_ms[len(times_ms) * 99 // 100])
