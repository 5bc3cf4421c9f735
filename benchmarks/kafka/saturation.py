"""Throughput of gates and signer, against a relay with the same work."""

import asyncio
import json
import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from typing import NamedTuple

from benchmarks import fixtures
from benchmarks.kafka.accounts import signed_intents
from benchmarks.kafka.load import OURS, WORKING_RELAY, LoadClient, Route, rate_per_s
from benchmarks.kafka.organisation import Organisation, cpu_s
from benchmarks.kafka.sizes import Sizes
from benchmarks.measure import Figure, seconds
from tools.local.processes import PARTITIONS
from tools.local.server import Server

SIGNED_PER_S_MIN = 600
OF_RELAY_MIN = 0.5
BLOCKED_MS_MAX = 25


class Saturated(NamedTuple):
    """Signed intents per second, and CPU seconds per intent by process."""

    per_s: float
    gates_s: float
    signer_s: float
    broker_s: float


class Saturation(NamedTuple):
    """The medians of all rounds."""

    ours: Saturated
    relay: Saturated
    script_per_s: float
    blocked_ms: float


def measure(org: Organisation, sizes: Sizes) -> Saturation:
    """Interleave bursts through the pipeline, through the relay, and of the script."""
    signer, relays, script = org.watched_signer(), org.relays("working"), LimitedScript()
    ours, theirs, alone = [], [], []
    with ExitStack() as opened:
        opened.enter_context(org.running(org.gates, signer))
        _burst(org, OURS, sizes.warm_up, (org.gates, signer))
        opened.enter_context(org.running(*relays))  # after the signer has generated the keys
        _burst(org, WORKING_RELAY, sizes.warm_up, relays)
        for _ in range(sizes.rounds):
            ours.append(_burst(org, OURS, sizes.burst, (org.gates, signer)))
            theirs.append(_burst(org, WORKING_RELAY, sizes.burst, relays))
            alone.append(sizes.burst / seconds(lambda: [script() for _ in range(sizes.burst)]))
    blocked_ms = json.loads((signer.folder / "blocked.json").read_bytes())["ms_max"]
    return Saturation(_median(ours), _median(theirs), statistics.median(alone), blocked_ms)


def figures(found: Saturation) -> Iterator[Figure]:
    """Yield the rows that compare the rate with its bounds."""
    ours, relay, script_per_s, blocked_ms = found
    yield Figure(
        "saturation", "signed, with gates and signer in one process each", ours.per_s, "intents/s",
        "eth-account with an in-memory limit, in one process", script_per_s,
        f"at least {SIGNED_PER_S_MIN}", ours.per_s >= SIGNED_PER_S_MIN,
    )  # fmt: skip
    yield Figure(
        "saturation", "the same, against a relay with the same work", ours.per_s, "intents/s",
        "relay, same number of hops and processes", relay.per_s,
        f"at least {OF_RELAY_MIN} of the peer's", ours.per_s >= OF_RELAY_MIN * relay.per_s,
    )  # fmt: skip
    yield Figure(
        "saturation", "longest time that the signer blocked its event loop", blocked_ms, "ms",
        "limit", BLOCKED_MS_MAX, f"at most {BLOCKED_MS_MAX} ms", blocked_ms <= BLOCKED_MS_MAX,
    )  # fmt: skip


class LimitedScript:
    """The script that a user would write instead: eth-account with an in-memory limit."""

    def __init__(self) -> None:
        self._sign = fixtures.Peer()
        self._spent_wei = 0

    def __call__(self) -> object:
        self._spent_wei += 10**12
        assert self._spent_wei <= 10**24
        return self._sign()


def _burst(org: Organisation, route: Route, intents: int, servers: Sequence[Server]) -> Saturated:
    records = list(islice(signed_intents(org.traders), intents))
    measured = (*servers, org.local.kafka.nodes[0])
    before_s = [cpu_s(server) for server in measured]

    async def burst() -> list[float]:
        async with LoadClient(org.broker, route, PARTITIONS) as client:
            return await client.burst(records)

    seen_s = asyncio.run(burst())
    used_s = [cpu_s(server) - before for server, before in zip(measured, before_s, strict=True)]
    return Saturated(rate_per_s(seen_s), *(one / intents for one in used_s))


def _median(rounds: Sequence[Saturated]) -> Saturated:
    return Saturated(*(statistics.median(values) for values in zip(*rounds, strict=True)))
