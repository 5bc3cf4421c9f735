"""The HTTP API on the embedded pipeline: reads per core, submissions, and tools over MCP.

Reads count the CPU time of the server's process, so that a busy machine changes them little.
"""

import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
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
from sixgate.services.embedded import node as embedded

TRANSACTIONS, ROUNDS, ROUND_S, CONNECTIONS = 100, 5, 1.5, 32
SINGLES, WARM_UP = 150, 30
READS_PER_CORE_MIN, SUBMIT_RATIO_MAX, MCP_MS_MAX = 3_000, 1.5, 5
_MS = 1_000
_GROUP = "HTTP API"
# A version with a handshake: its path in the SDK is the longer one, and its messages are short.
_PLAIN_CALL = {"Accept": "application/json", "Mcp-Protocol-Version": "2025-11-25"}


def figures() -> Iterator[Figure]:
    """Yield the rows of this group."""
    with (
        TemporaryDirectory(ignore_cleanup_errors=True) as directory,
        running_node(Path(directory), TRANSACTIONS) as node,
    ):
        yield _reads(node)
        yield _submission(node, Path(directory) / "in-process")
        yield from asyncio.run(_tools(node))


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


async def _tools(node: HttpNode) -> list[Figure]:
    """Read a transaction with a tool over streamable HTTP; interleave the plain read.

    The SDK's client takes more time than the server, so the same call is also made without it.
    """
    headers = headers_of(node.url, node.agent_key)
    transaction = node.transactions[0]["id"]
    path = f"{node.url}/v1/agents/{node.agent}/transactions/{transaction}"
    tool, arguments = "get_transaction", {"transaction_id": transaction}
    params = {"name": tool, "arguments": arguments}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    async with (
        httpx2.AsyncClient(headers=headers) as http,
        McpClient(streamable_http_client(f"{node.url}/mcp", http_client=http)) as client,
    ):

        async def by_client() -> None:
            assert not (await client.call_tool(tool, arguments)).is_error

        async def by_message() -> None:
            reply = await http.post(f"{node.url}/mcp", json=message, headers=_PLAIN_CALL)
            assert not reply.json()["result"]["isError"]

        async def by_read() -> None:
            assert (await http.get(path)).status_code == HTTPStatus.OK

        client_ms, message_ms, read_ms = await _medians_ms(by_client, by_message, by_read)
    return [
        _above("the tool get_transaction over MCP, by the SDK's client, p50", client_ms, read_ms),
        _above("the same call of protocol 2025-11-25, by an HTTP client, p50", message_ms, read_ms),
    ]


async def _medians_ms(*works: Callable[[], Awaitable[None]]) -> list[float]:
    """Return the median time of each work; they are interleaved."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(WARM_UP + SINGLES):
        for work, found in zip(works, times, strict=True):
            begun_s = time.perf_counter()
            await work()
            found.append((time.perf_counter() - begun_s) * _MS)
    return [statistics.median(found[WARM_UP:]) for found in times]


def _above(what: str, value: float, peer: float) -> Figure:
    return Figure(
        _GROUP,
        what,
        value,
        "ms",
        "the same read over REST",
        peer,
        f"at most {MCP_MS_MAX} ms above the peer",
        value <= peer + MCP_MS_MAX,
    )
