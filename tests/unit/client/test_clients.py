"""The blocking and the asynchronous client send the same requests and return the same results."""

import asyncio
import json
import socketserver
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler
from inspect import isasyncgen, iscoroutine
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from sixgate_client import AsyncClient, Client, ConnectionFailedError, RefusedError
from sixgate_client.async_client import AsyncOperations

URL, TOKEN = "https://gateway.test", "a-token"
FIELDS = {"chain": "base", "to": "0x11", "value": "0.5"}


EMPTY: dict[str, Any] = {}


class Call(NamedTuple):
    """A call, the request that it must send, and the member of the reply that it returns."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    request: str
    body: dict[str, Any] | None = None
    answer: Any = EMPTY
    result: Any = EMPTY


OWN = "/v1/agents/a-1"
MESSAGE = {"intent_type": "personal_sign", "chain": "ethereum", "message": "hi"}
TYPED = {"intent_type": "typed_data", "chain": "base", "typed_data": {}}
KEY = {"api_key": "k"}
GRANT = {"principal_id": "a-1", "secret_path_pattern": "keys/*"}
CALLS = [
    Call("submit", (), FIELDS, f"POST {OWN}/transactions", FIELDS),
    Call("sign_transaction", (), FIELDS, f"POST {OWN}/transactions/sign", FIELDS),
    Call("sign_message", ("hi",), {}, f"POST {OWN}/sign", MESSAGE),
    Call("sign_typed_data", ({},), {"chain": "base"}, f"POST {OWN}/sign", TYPED),
    Call("simulate", (), FIELDS, f"POST {OWN}/transactions/simulate", FIELDS),
    Call(
        "simulate_bundle",
        ([FIELDS],),
        {},
        f"POST {OWN}/transactions/simulate-bundle",
        {"transactions": [FIELDS]},
    ),
    Call("transaction", ("t/1",), {}, f"GET {OWN}/transactions/t%2F1"),
    Call("signing_keys", (), {}, f"GET {OWN}/signing-keys", None, {"signing_keys": [1]}, [1]),
    Call("me", (), {}, "GET /v1/agents/me"),
    Call("chains", (), {}, "GET /v1/chains", None, {"chains": [1]}, [1]),
    Call("create_agent", (), {"name": "bot"}, "POST /v1/agents", {"name": "bot"}),
    Call(
        "update_agent",
        ("a-2",),
        {"tx_max_value_eth": None},
        "PATCH /v1/agents/a-2",
        {"tx_max_value_eth": None},
    ),
    Call("agent", ("a-2",), {}, "GET /v1/agents/a-2"),
    Call("delete_agent", ("a-2",), {}, "DELETE /v1/agents/a-2", None, None, None),
    Call(
        "rotate_agent_key", ("a",), {}, "POST /v1/agents/a/rotate-key", None, {"api_key": "k"}, "k"
    ),
    Call("provision_signing_key", ("tron",), {}, f"POST {OWN}/signing-keys", {"chain": "tron"}),
    Call("rotate_signing_key", ("a", "tron"), {}, "POST /v1/agents/a/signing-keys/tron/rotate"),
    Call(
        "deactivate_signing_key",
        ("a", "tron"),
        {},
        "DELETE /v1/agents/a/signing-keys/tron",
        None,
        None,
        None,
    ),
    Call("create_vault", ("v",), {}, "POST /v1/vaults", {"name": "v", "description": ""}),
    Call(
        "set_custody_mode",
        ("v", "2of3_multi_hsm"),
        {},
        "POST /v1/vaults/v/mpc",
        {"custody_mode": "2of3_multi_hsm"},
    ),
    Call(
        "put_secret",
        ("v", "a/b", "x"),
        {},
        "PUT /v1/vaults/v/secrets/a/b",
        {"value": "x", "type": "generic"},
    ),
    Call("secret", ("v", "a/b"), {"client_share": "AA=="}, "GET /v1/vaults/v/secrets/a/b"),
    Call("delete_secret", ("v", "a/b"), {}, "DELETE /v1/vaults/v/secrets/a/b", None, None, None),
    Call(
        "create_policy",
        ("v",),
        GRANT,
        "POST /v1/vaults/v/policies",
        {**GRANT, "principal_type": "agent", "permissions": ["read"]},
    ),
    Call("delete_policy", ("v", "p"), {}, "DELETE /v1/vaults/v/policies/p", None, None, None),
    Call("verify_audit", (), {"since": "x"}, "GET /v1/audit/verify?from=x"),
    Call("export_audit", (), {}, "GET /v1/audit/export?format=json", None, {}, b"{}"),
]
LISTS = {
    "transactions": (f"{OWN}/transactions", "transactions", ()),
    "agents": ("/v1/agents", "agents", ()),
    "vaults": ("/v1/vaults", "vaults", ()),
    "secrets": ("/v1/vaults/v/secrets", "secrets", ("v",)),
    "policies": ("/v1/vaults/v/policies", "policies", ("v",)),
    "audit_events": ("/v1/audit/events", "events", ()),
}
Handler = Callable[[httpx.Request], httpx.Response]
Use = Callable[[Handler, str, tuple[Any, ...], dict[str, Any]], Any]


def blocking(handler: Handler, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    with Client(URL, token=TOKEN, transport=httpx.MockTransport(handler)) as client:
        client.session.agent_id = "a-1"
        found = getattr(client, name)(*args, **kwargs)
        return list(found) if isinstance(found, Iterator) else found


def asynchronous(handler: Handler, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    async def run() -> Any:
        async with AsyncClient(URL, token=TOKEN, transport=httpx.MockTransport(handler)) as client:
            client.session.agent_id = "a-1"
            found = getattr(client, name)(*args, **kwargs)
            assert iscoroutine(found) or isasyncgen(found)
            return await _listed(found) if isasyncgen(found) else await found

    return asyncio.run(run())


async def _listed(found: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in found]


USES = pytest.mark.parametrize("use", [blocking, asynchronous])


@USES
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_a_method_sends_its_request_and_returns_its_result(use: Use, call: Call) -> None:
    requests: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        status = 204 if call.answer is None else 200
        return httpx.Response(status, json=call.answer) if status == 200 else httpx.Response(204)

    assert use(handler, call.name, call.args, call.kwargs) == call.result
    (request,) = requests
    assert f"{request.method} {request.url.raw_path.decode()}" == call.request
    assert (json.loads(request.content) if request.content else None) == call.body
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert ("idempotency-key" in request.headers) == call.name.startswith(
        ("submit", "sign_transaction")
    )
    assert request.headers.get("x-client-share") == call.kwargs.get("client_share")


@USES
@pytest.mark.parametrize("name", LISTS)
def test_a_list_follows_its_cursor_to_the_end(use: Use, name: str) -> None:
    path, member, args = LISTS[name]

    def handler(request: httpx.Request) -> httpx.Response:
        assert request.url.path == path
        if "cursor" not in request.url.params:
            return httpx.Response(200, json={member: [1, 2], "next_cursor": "c2"})
        assert request.url.params["cursor"] == "c2"
        return httpx.Response(200, json={member: [3], "next_cursor": None})

    assert use(handler, name, args, {}) == [1, 2, 3]


def test_both_clients_have_the_same_methods_and_every_method_is_tested() -> None:
    named = {call.name for call in CALLS} | LISTS.keys() | {"submit_and_wait"}
    public = [
        {name for name in vars(kind) if not name.startswith("_")} - {"close", "run", "exchange"}
        for kind in (Client, AsyncOperations)
    ]
    assert public == [named, named]


@USES
def test_a_pending_submission_is_polled(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sixgate_client.operations.POLL_S", 0.0)
    states = iter(["pending", "pending", "signed"])

    def handler(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"id": "t-1", "status": next(states)})

    assert use(handler, "submit_and_wait", (), FIELDS)["status"] == "signed"


@USES
def test_a_refusal_is_raised(use: Use) -> None:
    body = {"code": "value_too_high", "detail": "0.5 is over 0.1"}
    with pytest.raises(RefusedError, match=r"0\.5 is over 0\.1"):
        use(lambda _request: httpx.Response(403, json=body), "submit", (), FIELDS)


@USES
def test_a_failed_connection_is_raised(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sixgate_client.session.BACKOFF_S", 0.0)

    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(ConnectionFailedError, match=r"from https?://[a-z.]+: refused"):
        use(handler, "chains", (), {})


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_base_url_is_an_origin(kind: type[Client] | type[AsyncClient]) -> None:
    with pytest.raises(ValueError, match="/v1"):
        kind("https://gateway.test/v1/")
    with pytest.raises(ValueError, match="begin with http://"):
        kind("gateway.test:8600")
    with pytest.raises(ValueError, match="required"):
        kind()
    with pytest.raises(ValueError, match="contradict"):
        kind(URL, api_key="ocv_a", token=TOKEN)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize("host", ["gateway.test", "10.0.0.1", "localhost.evil.example", "[::2]"])
def test_no_key_is_sent_in_clear_beyond_loopback_unless_asked(
    kind: type[Client] | type[AsyncClient], host: str
) -> None:
    with pytest.raises(ValueError, match="in clear: use https://"):
        kind(f"http://{host}:8600", api_key="ocv_a")
    assert kind(f"http://{host}:8600", api_key="ocv_a", insecure_http=True)
    assert kind(f"https://{host}:8600", api_key="ocv_a")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "[::1]"])
def test_plain_http_reaches_loopback(host: str) -> None:
    assert Client(f"http://{host}:8600", api_key="ocv_a")
    assert Client("http://any.name", unix_socket="/tmp/api.sock")  # noqa: S108 - never opened


class _OnASocket(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"chains": [{"name": "base"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def test_both_clients_reach_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socketserver.ThreadingUnixStreamServer(path, _OnASocket) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            with Client(unix_socket=path) as client:
                assert client.chains() == [{"name": "base"}]
            assert asyncio.run(_chains(path)) == [{"name": "base"}]
        finally:
            server.shutdown()
            serving.join()


async def _chains(path: str) -> Any:
    async with AsyncClient(unix_socket=path) as client:
        return await client.chains()
