"""From submit to signed, beside a relay chain of as many hops on the same broker."""

import asyncio
import statistics
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from benchmarks.kafka.accounts import signed_intents
from benchmarks.kafka.load import OURS, RELAY, Line, Watched, Way
from benchmarks.kafka.organisation import Organisation
from benchmarks.kafka.sizes import Sizes
from benchmarks.measure import Figure
from infra.local.processes import PARTITIONS

RATIO_MAX = {50: {"p50": 3, "p99": 5}, 200: {"p50": 5, "p99": 5}}
WAYS = {"ours": OURS, "relay": RELAY}


class Round(NamedTuple):
    """Milliseconds of one round."""

    p50: float
    p99: float


def figures(org: Organisation, sizes: Sizes) -> Iterator[Figure]:
    """Yield a row for each rate and percentile."""
    relays = org.relays("plain")
    with org.running(org.gates, org.signer, *relays):
        rounds = asyncio.run(_rounds(org, sizes))
    for rate, bounds in RATIO_MAX.items():
        for name, ratio_max in bounds.items():
            ours, relay = (
                statistics.median(getattr(one, name) for one in rounds[(way, rate)]) for way in WAYS
            )
            yield Figure(
                "end to end",
                f"submit to signed at {rate} intents/s, {name}",
                ours,
                "ms",
                "plain relay of as many hops",
                relay,
                f"at most {ratio_max} times the peer's",
                ours <= ratio_max * relay,
            )


async def _rounds(org: Organisation, sizes: Sizes) -> Mapping[tuple[str, int], list[Round]]:
    rounds: dict[tuple[str, int], list[Round]] = {
        (way, rate): [] for rate in RATIO_MAX for way in WAYS
    }
    for known in WAYS.values():
        await _paced(org, known, 200, sizes.warm_up)
    for _ in range(sizes.rounds):
        for (way, rate), found in rounds.items():
            watched = await _paced(org, WAYS[way], rate, round(sizes.paced_s * rate))
            found.append(_round(watched))
    return rounds


async def _paced(org: Organisation, way: Way, rate: int, intents: int) -> list[Watched]:
    records = list(islice(signed_intents(org.traders), intents))
    async with Line(org.broker, way, PARTITIONS) as line:
        return await line.paced(records, rate)


def _round(watched: Sequence[Watched]) -> Round:
    times_ms = sorted((one.seen_s - one.sent_s) * 1000 for one in watched)
    return Round(times_ms[len(times_ms) // 2], times_ms[len(times_ms) * 99 // 100])
