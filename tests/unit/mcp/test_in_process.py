"""A client in the process of its application sends what a client on a connection sends."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sixgate_client import AsyncClient
from sixgate_client.async_client import AsyncOperations
from sixgate_client.connection import session_of
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from sixgate.mcp.in_process import InProcessClient
from sixgate.mcp.server import carry_out
from sixgate.mcp.tools import TOOLS
from tests.harness.client.stub_api import TOKEN

AGENT = "agent-1"
TEXT = st.text(st.characters(codec="utf-8"), min_size=1).filter(
    lambda text: text not in {".", ".."}
)
Call = Callable[[AsyncOperations], Coroutine[Any, Any, Any]]


class Recorder:
    """Answers every request with an empty object and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        names = ("authorization", "content-type", "content-length", "idempotency-key")
        headers = [request.headers.get(name) or "0" for name in names]
        query = request.query_params.multi_items()
        asked = (request.method, scope["path"], query, await request.body(), headers)
        self.asked.append(asked)
        await JSONResponse({"items": []})(scope, receive, send)


def in_process(app: ASGIApp, caller: Scope | None = None) -> InProcessClient:
    session = session_of(None, TOKEN, "sixgate")
    session.agent_id, session.attempts_max = AGENT, 1
    return InProcessClient(app, session, caller or {})


def asked_by_both(call: Call) -> tuple[Any, Any]:
    """Return what an application is asked in its process, and by a client on a connection."""
    own, other = Recorder(), Recorder()

    async def run() -> None:
        await call(in_process(own))
        async with AsyncClient(
            "https://any.test", token=TOKEN, transport=httpx.ASGITransport(other)
        ) as client:
            client.session.agent_id = AGENT
            await call(client)

    asyncio.run(run())
    return own.asked, other.asked


@given(transaction=TEXT, signed=st.booleans())
@example(transaction="a/b?c#d e+f%2Fé", signed=True)
def test_a_path_and_its_query_arrive_unchanged(transaction: str, *, signed: bool) -> None:
    own, other = asked_by_both(
        lambda client: client.transaction(transaction, include_signed_tx=signed)
    )
    assert own == other
    assert own[0][1].endswith(f"/transactions/{transaction}")


@given(message=TEXT)
def test_a_body_arrives_unchanged(message: str) -> None:
    own, other = asked_by_both(lambda client: client.sign_message(message))
    assert own == other


@given(cursor=TEXT)
def test_a_query_arrives_unchanged(cursor: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found = Request(scope).query_params.get("cursor")
        seen.append(found)
        page = {"transactions": [1], "next_cursor": None if found else cursor}
        await JSONResponse(page)(scope, receive, send)

    async def run() -> list[Any]:
        return [one async for one in in_process(app).transactions()]

    seen: list[str | None] = []
    assert asyncio.run(run()) == [1, 1]
    assert seen == [None, cursor]


def test_an_answer_in_parts_is_one_reply() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        parts = iter([b'{"id": ', b'"agent-1"}'])
        response: Response = StreamingResponse(parts, media_type="application/json")
        await response(scope, receive, send)

    assert asyncio.run(in_process(app).me()) == {"id": "agent-1"}


def test_a_defect_after_a_submission_is_answered_with_its_idempotency_key() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # As the framework does: it answers the defect, then raises it for the server's log.
        await JSONResponse({"detail": "A defect.", "code": "internal"}, 500)(scope, receive, send)
        raise KeyError("secret")

    arguments = {"chain": "base", "to": "0x" + "11" * 20, "value": "0", "idempotency_key": "k-1"}
    result = asyncio.run(carry_out(TOOLS["submit_transaction"], arguments, in_process(app)))
    content = result.structured_content or {}
    assert (content["reason"], content["retryable"]) == ("internal", True)
    assert content["idempotency_key"] == "k-1"
    assert "k-1" in content["next"]
    assert "secret" not in str(result)


def test_an_application_that_answers_nothing_is_a_defect() -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        asyncio.run(in_process(app).me())


def test_only_the_address_and_the_rate_of_the_caller_are_passed_on() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        await JSONResponse({})(scope, receive, send)

    caller = {
        "client": ("192.0.2.1", 4711),
        "sixgate.client_ip": "198.51.100.7",
        "sixgate.caller": object(),
        "path": "/mcp",
        "headers": [(b"cookie", b"secret")],
    }
    asyncio.run(in_process(app, caller).me())
    (scope,) = seen
    assert (scope["client"], scope["sixgate.client_ip"]) == (("192.0.2.1", 4711), "198.51.100.7")
    assert scope["path"] == "/v1/agents/me"
    assert "sixgate.caller" not in scope
    assert b"cookie" not in dict(scope["headers"])
