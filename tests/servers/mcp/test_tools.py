"""The official SDK's client drives every tool: in the process, on streamable HTTP and on stdio."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client
from mcp_types import CallToolResult
from sixgate_client import AsyncClient

from sixgate.mcp.server import create_server
from sixgate.mcp.tools import TOOLS
from tests.harness.client.mcp_clients import (
    URL,
    Connect,
    after_a_handshake,
    in_process,
    over_http,
    over_stdio,
)
from tests.harness.client.stub_api import ALLOWED, OTHER, TOKEN, StubApi

PAY = {"chain": "base", "to": ALLOWED, "value": "0.5"}
TYPED = {"types": {}, "primaryType": "Order", "domain": {}, "message": {}}
# The documented tools with the documented arguments.
DOCUMENTED: dict[str, dict[str, Any]] = {
    "simulate_transaction": {**PAY, "signing_key_path": "wallets/hot-wallet"},
    "submit_transaction": {**PAY, "signing_key_path": "wallets/hot-wallet", "simulate_first": True},
    "sign_transaction": {**PAY, "signing_key_path": "wallets/hot-wallet", "simulate_first": True},
    "list_transactions": {"include_signed_tx": False},
    "get_transaction": {"transaction_id": "tx-1", "include_signed_tx": False},
    "provision_signing_key": {"chain": "ethereum"},
    "list_signing_keys": {},
    "sign_message": {"message": "Hello from my agent", "chain": "ethereum"},
    "sign_typed_data": {"chain": "ethereum", "typed_data": TYPED},
    "explain_policy": {},
}
REFUSED = {"provision_signing_key": "people_only", "sign_message": "message_signing_off"}
CONNECTS = pytest.mark.parametrize(
    "connect", [in_process, over_http, after_a_handshake, over_stdio]
)


def using(
    connect: Connect, api: StubApi, folder: Path, use: Callable[[Client], Awaitable[Any]]
) -> Any:
    async def run() -> Any:
        async with connect(api, folder) as client:
            return await use(client)

    return asyncio.run(run())


def called(api: StubApi, tool: str, folder: Path, **arguments: Any) -> CallToolResult:
    found = using(in_process, api, folder, lambda client: client.call_tool(tool, arguments))
    assert isinstance(found, CallToolResult)
    return found


def answered(
    handler: Callable[[httpx.Request], httpx.Response], tool: str, **arguments: Any
) -> CallToolResult:
    """Return a tool's result if ``handler`` answers the API's requests."""

    async def run() -> CallToolResult:
        caller = AsyncClient(URL, token=TOKEN, transport=httpx.MockTransport(handler))
        caller.session.agent_id = "agent-1"
        async with caller, Client(create_server(lambda _context: caller)) as client:
            return await client.call_tool(tool, arguments)

    return asyncio.run(run())


@CONNECTS
def test_every_tool_answers_on_every_transport(connect: Connect, tmp_path: Path) -> None:
    api = StubApi()

    async def use(client: Client) -> dict[str, CallToolResult]:
        assert client.instructions
        return {name: await client.call_tool(name, args) for name, args in DOCUMENTED.items()}

    found = using(connect, api, tmp_path, use)
    for name, result in found.items():
        content = result.structured_content
        assert result.is_error == (name in REFUSED), (name, result)
        assert content.get("reason") == REFUSED.get(name), content
        assert result.content[0].text
    assert found["submit_transaction"].structured_content["status"] == "signed"
    assert found["sign_transaction"].structured_content["status"] == "sign_only"
    assert found["explain_policy"].structured_content["left_24h_eth"] == "0.75"


@CONNECTS
def test_the_tools_are_listed_with_their_documented_arguments(
    connect: Connect, tmp_path: Path
) -> None:
    found = using(connect, StubApi(), tmp_path, lambda client: client.list_tools())
    tools = {tool.name: tool for tool in found.tools}
    assert tools.keys() == DOCUMENTED.keys() == TOOLS.keys()
    for name, arguments in DOCUMENTED.items():
        schema = tools[name].input_schema
        assert arguments.keys() <= schema["properties"].keys() or not arguments
        assert set(schema.get("required", ())) <= arguments.keys()
        assert schema["additionalProperties"] is False
    submit = tools["submit_transaction"].input_schema
    assert submit["required"] == ["chain", "to", "value"]
    assert submit["properties"]["simulate_first"]["default"] is True
    assert tools["sign_message"].input_schema["properties"]["chain"]["default"] == "ethereum"
    assert tools["explain_policy"].annotations.read_only_hint


def test_a_refusal_names_the_rule_what_would_pass_and_what_is_left(tmp_path: Path) -> None:
    api = StubApi()
    api.refused = {
        "status": 403,
        "code": "daily_limit_exceeded",
        "detail": "1.25 spent in 24 h plus 0.9 is over the limit of 2",
        "gate": "daily-limit",
        "evidence": {"spent_wei": "1250000000000000000"},
        "transaction_id": "tx-9",
    }
    result = called(api, "submit_transaction", tmp_path, **(PAY | {"value": "0.9"}))
    assert result.is_error
    assert result.structured_content == {
        "refused": True,
        "rule": "daily-limit",
        "reason": "daily_limit_exceeded",
        "sentence": "1.25 spent in 24 h plus 0.9 is over the limit of 2",
        "would_pass": "A value of at most 0.75 ETH now; more when the last 24 hours' spending has "
        "aged out.",
        "left_24h_eth": "0.75",
        "transaction_id": "tx-9",
        "evidence": {"spent_wei": "1250000000000000000"},
    }
    assert "0.75 ETH" in str(result.content)


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "fee_unknown"), (409, "nonce_used"), (503, "key_unavailable"), (429, "rate_exceeded")],
)
def test_a_decision_with_another_status_is_a_refusal_too(
    tmp_path: Path, status: int, code: str
) -> None:
    api = StubApi()
    api.refused = {"status": status, "code": code, "detail": "The sentence.", "gate": "signing"}
    content = called(api, "submit_transaction", tmp_path, **PAY).structured_content
    assert (content["refused"], content["rule"], content["reason"]) == (True, "signing", code)


def test_a_reverted_simulation_is_a_refusal_too(tmp_path: Path) -> None:
    api = StubApi()
    detail = "The simulation of tx-9 reverted."
    api.refused = {"status": 422, "code": "simulation_reverted", "detail": detail}
    content = called(api, "submit_transaction", tmp_path, **PAY).structured_content
    assert (content["refused"], content["rule"]) == (True, "simulation")


def test_every_submission_has_a_new_key_unless_one_is_given(tmp_path: Path) -> None:
    api = StubApi()
    for arguments in ({}, {}, {"idempotency_key": "mine"}, {"idempotency_key": "mine"}):
        called(api, "submit_transaction", tmp_path, **PAY, **arguments)
    sent = [key for key in api.keys if key]
    assert len(set(sent[:2])) == 2
    assert sent[2:] == ["mine", "mine"]
    assert all("idempotency_key" not in body for _, _, body in api.requests)


def test_simulation_is_on_unless_it_is_switched_off(tmp_path: Path) -> None:
    api = StubApi()
    called(api, "submit_transaction", tmp_path, **PAY)
    called(api, "submit_transaction", tmp_path, **PAY, simulate_first=False)
    bodies = [body for method, path, body in api.requests if path.endswith("/transactions")]
    assert [body["simulate_first"] for body in bodies] == [True, False]


def test_typed_data_is_accepted_as_its_json_text(tmp_path: Path) -> None:
    result = called(StubApi(), "sign_typed_data", tmp_path, typed_data='{"types": {}}')
    assert not result.is_error


@pytest.mark.parametrize(
    ("tool", "arguments", "field"),
    [
        ("submit_transaction", {"chain": "base"}, "to"),
        ("submit_transaction", PAY | {"valeu": "1"}, "valeu"),
        ("submit_transaction", PAY | {"value": 0.1}, "value"),
        ("submit_transaction", PAY | {"chain": 8453}, "chain"),
        ("submit_transaction", PAY | {"simulate_first": "no"}, "simulate_first"),
        ("sign_typed_data", {"typed_data": "no json"}, "typed_data"),
        ("sign_typed_data", {"typed_data": '{"a": 1, "a": 2}'}, "typed_data"),
        ("get_transaction", {}, "transaction_id"),
    ],
)
def test_wrong_arguments_are_named_in_a_result(
    tmp_path: Path, tool: str, arguments: dict[str, Any], field: str
) -> None:
    api = StubApi()
    result = called(api, tool, tmp_path, **arguments)
    assert result.is_error
    assert field in result.structured_content["fields"]
    assert not api.requests


@pytest.mark.parametrize("tool", ["", "drain", "submit_transaction\n"])
def test_an_unknown_tool_is_a_result_that_lists_the_tools(tmp_path: Path, tool: str) -> None:
    result = called(StubApi(), tool, tmp_path)
    assert result.is_error
    assert "submit_transaction" in result.structured_content["sentence"]


@pytest.mark.parametrize("value", [0.1 + 0.2, 123456789.123456789, 0.12345678901234568])
def test_an_amount_that_json_has_rounded_is_refused(tmp_path: Path, value: float) -> None:
    api = StubApi()
    result = called(api, "submit_transaction", tmp_path, **PAY | {"value": value})
    assert result.is_error
    assert list(result.structured_content["fields"]) == ["value"]
    assert not [path for method, path, _ in api.requests if method == "POST"]


def test_a_path_in_an_id_is_refused(tmp_path: Path) -> None:
    result = called(StubApi(), "get_transaction", tmp_path, transaction_id="..")
    assert (result.is_error, result.structured_content["reason"]) == (True, "invalid_arguments")


def test_a_wrong_key_is_a_result_and_no_protocol_error(tmp_path: Path) -> None:
    def wrong(api: StubApi, folder: Path) -> AbstractAsyncContextManager[Client]:
        return over_http(api, folder, bearer="ocv_wrong")

    async def use(client: Client) -> CallToolResult:
        return await client.call_tool("list_signing_keys", {})

    result = using(wrong, StubApi(), tmp_path, use)
    assert result.is_error
    assert result.structured_content["next"] == "Ask a person for a valid API key."


def test_a_lost_submission_says_which_key_to_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sixgate_client.session.BACKOFF_S", 0.0)

    def lost(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("gone", request=request)

    content = answered(lost, "submit_transaction", **PAY).structured_content
    assert content["retryable"]
    assert content["idempotency_key"] in content["next"]


@pytest.mark.parametrize(
    ("status", "code"), [(503, "busy"), (500, "internal"), (409, "request_in_progress"), (429, "x")]
)
def test_a_failed_submission_says_which_key_to_repeat(
    monkeypatch: pytest.MonkeyPatch, status: int, code: str
) -> None:
    """It may have been submitted: a model that repeats it without its key would pay twice."""
    monkeypatch.setattr("sixgate_client.session.BACKOFF_S", 0.0)
    keys = set()

    def failed(request: httpx.Request) -> httpx.Response:
        keys.add(request.headers["idempotency-key"])
        return httpx.Response(status, json={"code": code, "detail": "unknown"})

    content = answered(failed, "submit_transaction", **PAY).structured_content
    assert content["retryable"]
    assert {content["idempotency_key"]} == keys
    assert content["idempotency_key"] in content["next"]


def test_a_defect_is_a_result_without_its_text() -> None:
    def broken(_request: httpx.Request) -> httpx.Response:
        raise RuntimeError("secret text")

    result = answered(broken, "list_signing_keys")
    assert result.is_error
    assert "secret" not in str(result)


def test_the_allowlisted_recipient_is_in_what_would_pass(tmp_path: Path) -> None:
    api = StubApi()
    detail = f"{OTHER} is not on the allowlist"
    api.refused = {"status": 403, "code": "recipient_not_allowed", "detail": detail}
    content = called(api, "sign_transaction", tmp_path, **(PAY | {"to": OTHER})).structured_content
    assert ALLOWED in content["would_pass"]
    assert content["rule"] == "allowlist"
