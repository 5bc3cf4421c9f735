"""Submissions through the client and MCP to the real API: signed, refused, repeated."""

import asyncio
import re
from decimal import Decimal
from typing import Any

import pytest
from eth_account import Account as EthAccount
from eth_account.messages import encode_defunct
from sixgate_client import (
    AsyncClient,
    ConflictError,
    InvalidRequestError,
    NotSupportedError,
    RefusedError,
)

from tests.harness.client.served_api import RECIPIENT, ROOT, Served, on_http, on_stdio

PAY: dict[str, Any] = {
    "chain": "base",
    "to": RECIPIENT,
    "value": "0.001",
    "gas_limit": 21_000,
    "max_fee_per_gas": "1000000000",
    "max_priority_fee_per_gas": "1",
}
TRANSPORTS = pytest.mark.parametrize("transport", [on_http, on_stdio])


def test_a_transaction_is_signed_by_the_agents_key(served: Served) -> None:
    with served.agent as agent:
        signed = agent.submit_and_wait(**PAY)
        assert (signed["status"], signed["value_wei"]) == ("signed", str(10**15))
        assert EthAccount.recover_transaction(signed["signed_tx"]) == agent.me()["evm_address"]
        assert agent.transaction(signed["id"])["tx_hash"] == signed["tx_hash"]
        assert signed["id"] in {one["id"] for one in agent.transactions()}
        assert agent.sign_transaction(**PAY)["status"] == "sign_only"


def test_a_repeated_key_gives_the_same_transaction(served: Served) -> None:
    with served.agent as agent:
        first = agent.submit(idempotency_key="order-1", **PAY)
        assert agent.submit(idempotency_key="order-1", **PAY)["id"] == first["id"]
        with pytest.raises(ConflictError) as conflict:
            agent.submit(idempotency_key="order-1", **(PAY | {"value": "0.002"}))
        assert conflict.value.code == "idempotency_conflict"


@pytest.mark.parametrize(
    ("changes", "reason", "gate"),
    [
        ({"value": "0.6"}, "value_too_high", "value-cap"),
        ({"to": "0x" + "11" * 20}, "recipient_not_allowed", "allowlist"),
        ({"chain": "sepolia"}, "chain_not_allowed", "chain-restriction"),
    ],
)
def test_a_refusal_has_its_reason_and_gate(
    served: Served, changes: dict[str, str], reason: str, gate: str
) -> None:
    async def run() -> RefusedError:
        async with AsyncClient(unix_socket=str(served.socket), api_key=served.agent_key) as agent:
            with pytest.raises(RefusedError) as refused:
                await agent.submit_and_wait(**(PAY | changes))
            recorded = await agent.transaction(str(refused.value.transaction_id))
            assert recorded["status"] == "refused"
            return refused.value

    error = asyncio.run(run())
    assert (error.reason, error.gate) == (reason, gate)
    assert str(error.transaction_id) in str(error)


def test_without_a_simulator_a_simulation_is_not_supported(served: Served) -> None:
    with served.agent as agent:
        with pytest.raises(NotSupportedError, match="8453"):
            agent.simulate(**PAY)
        with pytest.raises(NotSupportedError, match="8453"):
            agent.simulate_bundle([{"chain": "base", "to": RECIPIENT, "value": "0"}])


def test_a_model_learns_that_only_the_simulation_is_missing(served: Served) -> None:
    content = asyncio.run(on_http(served, "submit_transaction", PAY)).structured_content
    assert (content["refused"], content["rule"]) == (True, "simulation")
    assert "simulate_first false" in content["would_pass"]
    content = asyncio.run(on_http(served, "simulate_transaction", PAY)).structured_content
    assert (content["refused"], content["retryable"]) == (False, False)


def test_a_wrong_field_is_named(served: Served) -> None:
    with served.agent as agent, pytest.raises(InvalidRequestError) as invalid:
        agent.submit(**(PAY | {"to": "nobody"}))
    assert list(invalid.value.fields) == ["to"]


def test_a_message_is_signed_when_a_person_allows_it(served: Served) -> None:
    with served.agent as agent:
        me = agent.me()
        with pytest.raises(RefusedError) as refused:
            agent.sign_message("hello", chain="base")
        assert refused.value.reason == "message_signing_off"
        served.person.update_agent(me["id"], message_signing_enabled=True)
        signed = agent.sign_message("hello", chain="base")
        message = encode_defunct(text="hello")
        address = EthAccount.recover_message(message, signature=signed["signature"])
        assert address == me["evm_address"]


def test_the_program_in_the_clients_readme_runs(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    program = re.findall(r"(?s)```python\n(.*?)```", (ROOT / "client/README.md").read_text())[0]
    changes = {"https://gateway.example": served.url, "ocv_…": served.agent_key}
    fees = f'"{RECIPIENT}", gas_limit=21_000, max_fee_per_gas="1", max_priority_fee_per_gas="1"'
    changes |= {'"0x742d…"': fees}
    for shown, real in changes.items():
        assert shown in program
        program = program.replace(shown, real)
    exec(program, {})  # noqa: S102 - the page's own program
    assert capsys.readouterr().out.startswith("0x")
    exec(program.replace('"0.5"', '"0.6"'), {})  # noqa: S102 - the page's own program
    assert capsys.readouterr().out.startswith("value_too_high ")


@TRANSPORTS
def test_a_model_submits_and_reads_its_transaction(served: Served, transport: Any) -> None:
    arguments = PAY | {"simulate_first": False}
    submitted = asyncio.run(transport(served, "submit_transaction", arguments))
    assert not submitted.is_error, submitted
    name = {"transaction_id": submitted.structured_content["id"]}
    found = asyncio.run(transport(served, "get_transaction", name))
    assert found.structured_content["status"] == "signed"
    assert not found.structured_content.get("signed_tx")


@TRANSPORTS
def test_a_model_is_told_what_would_pass(served: Served, transport: Any) -> None:
    arguments = PAY | {"value": "0.7", "simulate_first": False}
    refused = asyncio.run(transport(served, "submit_transaction", arguments))
    assert refused.is_error
    content = refused.structured_content
    assert (content["refused"], content["rule"]) == (True, "value-cap")
    assert "at most 0.5 ETH" in content["would_pass"]
    assert 1 < Decimal(content["left_24h_eth"]) <= 2
    assert content["transaction_id"] in content["sentence"]
