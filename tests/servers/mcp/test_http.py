"""MCP over streamable HTTP: who may call, as whom a tool acts, and what the protocol demands."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import httpx
import pytest
from mcp.server.context import CallNext, HandlerResult
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from sixgate_client import AsyncClient

from sixgate.mcp.http import McpEndpoint
from sixgate.mcp.server import Context, create_server
from tests.harness.client.mcp_clients import URL, calling
from tests.harness.client.stub_api import API_KEY, TOKEN, StubApi

OLD, NEW, UNKNOWN = "2025-11-25", "2026-07-28", "2099-01-01"
JSON = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
AUTHORIZED = JSON | {"authorization": f"Bearer {TOKEN}"}
HELLO = {"capabilities": {}, "clientInfo": {"name": "any", "version": "1"}}
READ: dict[str, Any] = {"name": "get_transaction", "arguments": {"transaction_id": "tx-1"}}


def posted(content: str, headers: dict[str, str]) -> httpx.Response:
    """Return what a new endpoint answers."""

    async def run() -> httpx.Response:
        endpoint = McpEndpoint(StubApi().app())
        transport = httpx.ASGITransport(endpoint)
        async with endpoint.running(), httpx.AsyncClient(transport=transport) as http:
            return await http.post(f"{URL}/mcp", content=content, headers=AUTHORIZED | headers)

    return asyncio.run(run())


def message(method: str, **params: Any) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})


def notification(method: str, **params: Any) -> str:
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": params})


def enveloped(version: str = NEW, **params: Any) -> dict[str, Any]:
    """Return parameters as protocol versions without a handshake have them."""
    prefix = "io.modelcontextprotocol"
    meta = {f"{prefix}/protocolVersion": version, f"{prefix}/clientCapabilities": {}}
    return params | {"_meta": meta}


def headers_of(version: str, method: str = "", name: str = "") -> dict[str, str]:
    found = {"mcp-protocol-version": version, "mcp-method": method, "mcp-name": name}
    return {header: value for header, value in found.items() if value}


TWICE = message("tools/call", **READ).replace('"tx-1"', '"tx-2", "transaction_id": "tx-1"')


class Case(NamedTuple):
    """A request and its answer; ``error`` is a code of JSON-RPC."""

    name: str
    headers: dict[str, str]
    content: str
    status: int
    error: int | None = None


CASES: Sequence[Case] = [
    Case("ping", headers_of(OLD), message("ping"), 200),
    Case("notification", headers_of(OLD), notification("notifications/initialized"), 202),
    Case("list", headers_of(OLD), message("tools/list"), 200),
    Case("call", headers_of(OLD), message("tools/call", **READ), 200),
    Case("no version", {}, message("tools/call", **READ), 200),
    Case("unknown method", headers_of(OLD), message("tools/drain"), 200, -32601),
    Case("wrong params", headers_of(OLD), message("tools/call", name=1), 200, -32602),
    Case("batch", headers_of(OLD), f"[{message('ping')}]", 400, -32602),
    Case("no json", headers_of(OLD), "{", 400, -32700),
    Case("member twice", headers_of(OLD), TWICE, 400, -32700),
    Case("member twice, new", headers_of(NEW, "tools/call", "get_transaction"), TWICE, 400, -32700),
    Case("mark of byte order", headers_of(OLD), "\ufeff" + message("ping"), 400, -32700),
    Case("wrong content", headers_of(OLD) | {"content-type": "text/plain"}, message("ping"), 400),
    Case("wrong accept", headers_of(OLD) | {"accept": "text/html"}, message("ping"), 406, -32600),
    Case(
        "discover, new",
        headers_of(NEW, "server/discover"),
        message("server/discover", **enveloped()),
        200,
    ),
    Case("list, new", headers_of(NEW, "tools/list"), message("tools/list", **enveloped()), 200),
    Case(
        "call, new",
        headers_of(NEW, "tools/call", "get_transaction"),
        message("tools/call", **enveloped(**READ)),
        200,
    ),
    Case(
        "another tool in the header",
        headers_of(NEW, "tools/call", "sign_message"),
        message("tools/call", **enveloped(**READ)),
        400,
        -32020,
    ),
    Case("no envelope", headers_of(NEW, "tools/list"), message("tools/list"), 400, -32602),
    Case(
        "batch, new",
        headers_of(NEW, "tools/list"),
        f"[{message('tools/list', **enveloped())}]",
        400,
        -32600,
    ),
    Case("no handshake, new", headers_of(NEW, "ping"), message("ping", **enveloped()), 404, -32601),
    Case(
        "unknown version",
        headers_of(UNKNOWN, "tools/list"),
        message("tools/list", **enveloped(UNKNOWN)),
        400,
        -32022,
    ),
    Case(
        "notification, new",
        headers_of(NEW, "notifications/cancelled"),
        notification("notifications/cancelled", requestId=1),
        202,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_http_answers_as_the_protocol_says(case: Case) -> None:
    reply = posted(case.content, case.headers)
    assert reply.status_code == case.status, reply.text
    if case.error is not None:
        assert reply.json()["error"]["code"] == case.error
    elif case.status == 200:
        assert reply.json()["id"] == 1
        assert "error" not in reply.json()


@pytest.mark.parametrize(("asked", "agreed"), [("2025-06-18", "2025-06-18"), (UNKNOWN, OLD)])
def test_a_handshake_agrees_on_a_version(asked: str, agreed: str) -> None:
    reply = posted(message("initialize", protocolVersion=asked, **HELLO), {})
    assert reply.json()["result"]["protocolVersion"] == agreed


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("POST", {}, 401),
        ("POST", {"authorization": "Basic eDp5"}, 401),
        ("POST", {"authorization": f"Bearer {TOKEN}", "origin": "https://evil.test"}, 403),
        ("GET", {"authorization": f"Bearer {TOKEN}"}, 405),
        ("DELETE", {"authorization": f"Bearer {TOKEN}"}, 405),
    ],
)
def test_http_refuses_what_is_no_call_of_an_agent(
    method: str, headers: dict[str, str], status: int
) -> None:
    async def run() -> httpx.Response:
        endpoint = McpEndpoint(StubApi().app())
        transport = httpx.ASGITransport(endpoint)
        async with endpoint.running(), httpx.AsyncClient(transport=transport) as http:
            return await http.request(method, f"{URL}/mcp", headers=headers)

    reply = asyncio.run(run())
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/problem+json"


def test_each_caller_acts_with_its_own_token() -> None:
    async def run() -> list[bool]:
        endpoint = McpEndpoint(StubApi().app())
        failed = []
        async with endpoint.running():
            for bearer in (TOKEN, "another-token", TOKEN):
                async with calling(endpoint, bearer) as client:
                    failed.append((await client.call_tool("list_signing_keys", {})).is_error)
        return failed

    assert asyncio.run(run()) == [False, True, False]


@pytest.mark.parametrize(("most", "exchanges"), [(2, 1), (1, 2)])
def test_an_api_key_is_exchanged_once_while_its_session_is_kept(
    monkeypatch: pytest.MonkeyPatch, most: int, exchanges: int
) -> None:
    monkeypatch.setattr("sixgate.mcp.http.SESSIONS_MAX", most)
    api = StubApi()

    async def run() -> None:
        endpoint = McpEndpoint(api.app())
        async with endpoint.running():
            for bearer in (API_KEY, "ocv_other", API_KEY):
                async with calling(endpoint, bearer) as client:
                    await client.call_tool("list_signing_keys", {})

    asyncio.run(run())
    assert [body.get("api_key") for _, _, body in api.requests].count(API_KEY) == exchanges


def test_the_api_sees_the_address_of_the_tools_caller() -> None:
    seen: list[tuple[Any, Any]] = []
    api = StubApi().app()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["client"], scope.get("sixgate.client_ip")))
        await api(scope, receive, send)

    endpoint = McpEndpoint(app)

    async def addressed(scope: Any, receive: Any, send: Any) -> None:
        scope["sixgate.client_ip"] = "198.51.100.7"
        await endpoint(scope, receive, send)

    async def run() -> None:
        address = ("192.0.2.1", 4711)
        async with endpoint.running(), calling(addressed, client=address) as client:
            assert not (await client.call_tool("list_signing_keys", {})).is_error

    asyncio.run(run())
    assert set(seen) == {(("192.0.2.1", 4711), "198.51.100.7")}


def test_a_call_does_not_list_the_tools() -> None:
    methods: list[str] = []

    async def watched(ctx: Context, call_next: CallNext) -> HandlerResult:
        methods.append(ctx.method)
        return await call_next(ctx)

    async def run() -> None:
        transport = httpx.ASGITransport(StubApi().app())
        async with AsyncClient(URL, token=TOKEN, transport=transport) as caller:
            server = create_server(lambda _context: caller)
            server.middleware.append(watched)
            sessions = StreamableHTTPSessionManager(server, json_response=True, stateless=True)
            async with sessions.run(), calling(sessions.handle_request) as client:
                await client.call_tool("get_transaction", {"transaction_id": "tx-1"})
                methods.clear()  # a client lists the tools before its first call
                await client.call_tool("get_transaction", {"transaction_id": "tx-1"})

    asyncio.run(run())
    assert methods == ["tools/call"]
