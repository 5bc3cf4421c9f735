"""The HTTP API on the embedded pipeline: reads per core, submissions, and tools over MCP.

Reads count the CPU time of the server's process, so that a busy machine changes them little.
"""

import asyncio
import json
import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import httpx2
from mcp import Client as McpClient
from mcp.client.streamable_http import streamable_http_client

from benchmarks import fixtures
from benchmarks.http import bare
from benchmarks.http.load import Load, running
from benchmarks.http.node import BODY, HttpNode, cpu_s, headers_of, running_node
from benchmarks.http.requests import request
from benchmarks.measure import Figure, seconds
from benchmarks.pipeline import record_of, submit
from sixgate.embedded import node as embedded

TRANSACTIONS, ROUNDS, ROUND_S, CONNECTIONS = 100, 5, 1.5, 32
SINGLES, WARM_UP = 150, 30
READS_PER_CORE_MIN, SUBMIT_RATIO_MAX, MCP_MS_MAX = 3_000, 1.5, 5
_MS = 1_000
_GROUP = "HTTP API"


def figures() -> Iterator[Figure]:
    """Yield the rows of this group."""
    with (
        TemporaryDirectory(ignore_cleanup_errors=True) as directory,
        running_node(Path(directory), TRANSACTIONS) as node,
    ):
        yield _reads(node)
        yield _submission(node, Path(directory) / "in-process")
        yield asyncio.run(_tools(node))


def _reads(node: HttpNode) -> Figure:
    """Read single transactions; interleave rounds of the server without the API."""
    headers = headers_of(node.url, node.agent_key)
    paths = [f"/v1/agents/{node.agent}/transactions/{one['id']}" for one in node.transactions]
    size_bytes = len(httpx.get(node.url + paths[0], headers=headers).content)
    reads = [("read", request(path, headers), 200) for path in paths]
    ours, theirs = [], []
    with bare.running(size_bytes) as (port, pid):
        for _ in range(ROUNDS):
            ours.append(_per_core(node.port, node.pid, reads))
            theirs.append(_per_core(port, pid, reads))
    value = statistics.median(ours)
    return Figure(
        _GROUP,
        "reads of a single transaction per second and core of the server",
        value,
        "reads/s",
        "the same server without the API",
        statistics.median(theirs),
        f"at least {READS_PER_CORE_MIN:,}",
        value >= READS_PER_CORE_MIN,
    )


def _per_core(port: int, pid: int, reads: list[tuple[str, str, int]]) -> float:
    with running("reads", Load(port, reads, CONNECTIONS, ROUND_S)) as clients:
        before_s = cpu_s(pid)
        clients.begin()
        found = clients.receive()
        assert not found["errors"], found["errors"]
        return float(found["count"] / (cpu_s(pid) - before_s))


def _submission(node: HttpNode, path: Path) -> Figure:
    """Submit one at a time over HTTP; interleave the same in this process on another folder.

    The standard library's client adds least to what the server needs.
    """
    agent = fixtures.new_agent()
    records = [record_of(raw) for raw in fixtures.signed(agent, map(str, range(WARM_UP + SINGLES)))]
    url, body = f"/v1/agents/{node.agent}/transactions", json.dumps(BODY)
    headers = headers_of(node.url, node.agent_key) | {"Content-Type": "application/json"}
    ours, theirs = [], []
    with (
        embedded.running(fixtures.make_folder(path, agent)) as pipeline,
        closing(HTTPConnection("127.0.0.1", node.port, timeout=30)) as http,
    ):

        def over_http() -> None:
            http.request("POST", url, body, headers)
            reply = http.getresponse()
            assert reply.status == HTTPStatus.CREATED, reply.read()
            assert json.loads(reply.read())["signed_tx"]

        for record in records:
            ours.append(seconds(over_http) * _MS)
            theirs.append(seconds(lambda record=record: submit(pipeline, [record])) * _MS)  # type: ignore[misc] # mypy cannot infer a lambda's default
    value, peer = (statistics.median(times[WARM_UP:]) for times in (ours, theirs))
    return Figure(
        _GROUP,
        "submit a transaction, from request to 201, p50",
        value,
        "ms",
        "in process, from submit to signed",
        peer,
        f"at most {SUBMIT_RATIO_MAX} x the peer",
        value <= SUBMIT_RATIO_MAX * peer,
    )


async def _tools(node: HttpNode) -> Figure:
    """Read a transaction with a tool over streamable HTTP; interleave the plain read."""
    headers = headers_of(node.url, node.agent_key)
    transaction = node.transactions[0]["id"]
    path = f"{node.url}/v1/agents/{node.agent}/transactions/{transaction}"
    ours, theirs = [], []
    async with (
        httpx2.AsyncClient(headers=headers) as http,
        McpClient(streamable_http_client(f"{node.url}/mcp", http_client=http)) as client,
    ):
        for _ in range(WARM_UP + SINGLES):
            begun_s = time.perf_counter()
            found = await client.call_tool("get_transaction", {"transaction_id": transaction})
            called_s = time.perf_counter()
            assert not found.is_error
            assert (await http.get(path)).status_code == 200
            ours.append((called_s - begun_s) * _MS)
            theirs.append((time.perf_counter() - called_s) * _MS)
    value, peer = (statistics.median(times[WARM_UP:]) for times in (ours, theirs))
    return Figure(
        _GROUP,
        "the tool get_transaction over MCP, p50",
        value,
        "ms",
        "the same read over REST",
        peer,
        f"at most {MCP_MS_MAX} ms above the peer",
        value <= peer + MCP_MS_MAX,
    )
