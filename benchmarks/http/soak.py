"""Load on the HTTP API: idle connections, mixed reads at a rate and slow readers, without an error.

python -m benchmarks.http.soak [--idle N] [--slow N] [--per-s N] [--seconds N]
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.http.load import Load, running
from benchmarks.http.node import HttpNode, cut_off_count, headers_of, running_node
from benchmarks.http.requests import mixed_reads, request

TRANSACTIONS = 1_000
CONNECTIONS = 64
# Otherwise the server closes the idle connections before the end of a slow run.
SETTINGS = {"SIXGATE_API__LIMITS__IDLE_S_MAX": "3600"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print the results, and return 1 if there was any error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--idle", type=int, default=10_000, help="idle connections")
    parser.add_argument("--slow", type=int, default=50, help="slow readers")
    parser.add_argument("--per-s", type=float, default=1_000, help="mixed reads per second")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--transactions", type=int, default=TRANSACTIONS)
    options = parser.parse_args(arguments)
    with (
        TemporaryDirectory(prefix="sixgate-soak-", ignore_cleanup_errors=True) as directory,
        running_node(Path(directory), options.transactions, SETTINGS) as node,
    ):
        found = _measure(node, options.idle, options.slow, options.per_s, options.seconds)
    print(json.dumps(found, indent=1))
    wrong = found["errors"] or set(found["idle_answered"]) != {options.idle}
    late = found["reads"] < 0.99 * options.per_s * options.seconds
    if wrong or late:
        print("FAILED: there were errors, lost connections, or too few reads.")
    return int(bool(wrong or late))


def _measure(node: HttpNode, idle: int, slow: int, per_s: float, seconds: float) -> dict[str, Any]:
    agent, person = (headers_of(node.url, key) for key in (node.agent_key, node.person_key))
    whole_list = f"/v1/agents/{node.agent}/transactions?include_signed_tx=true"
    me = ("me", request("/v1/agents/me", agent), 200)
    listed = ("list", request(whole_list, agent), 200)
    reads = mixed_reads(node, agent, person)
    with (
        running("idle", Load(node.port, [me], idle)) as idle_clients,
        running("slow", Load(node.port, [listed], slow, seconds / 4)) as slow_clients,
        running("reads", Load(node.port, reads, CONNECTIONS, seconds, per_s)) as clients,
    ):
        before = idle_clients.receive()["answered"]
        print(f"{before:,} idle connections answered; reading for {seconds:.0f} s", flush=True)
        slow_clients.begin()
        begun_cpu_s = node.cpu_s()
        clients.begin()
        found = clients.receive()
        cpu_s = node.cpu_s() - begun_cpu_s
        cut_off = cut_off_count(node.port)
        idle_clients.begin()
        after = idle_clients.receive()["answered"]
        return {
            "reads": found["count"],
            "errors": found["errors"],
            "latency_ms": found["latency_ms"],
            "server_cores": round(cpu_s / found["elapsed_s"], 3),
            "idle_answered": [before, after],
            "slow_readers_cut_off": cut_off,
        }


if __name__ == "__main__":
    raise SystemExit(main())
