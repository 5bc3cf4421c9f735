"""The ten tools: nine of the documented API and ``explain_policy``."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from mcp_types import Tool, ToolAnnotations
from sixgate_client import AsyncClient

from sixgate.mcp.arguments import (
    Arguments,
    ChainArguments,
    GetArguments,
    ListArguments,
    MessageArguments,
    SignedTransactionArguments,
    TransactionArguments,
    TypedDataArguments,
)
from sixgate.mcp.limits import explained

Json = dict[str, Any]
LISTED_MAX = 100


class AgentTool(NamedTuple):
    """One tool: what a model reads, and the call that it makes."""

    description: str
    arguments: type[Arguments]
    call: Callable[[AsyncClient, Any], Awaitable[Json]]
    reads: bool = False


async def _simulate(client: AsyncClient, arguments: TransactionArguments) -> Json:
    return dict(await client.simulate(**arguments.given()))


async def _submit(client: AsyncClient, arguments: SignedTransactionArguments) -> Json:
    return dict(await client.submit(**arguments.given()))


async def _sign(client: AsyncClient, arguments: SignedTransactionArguments) -> Json:
    return dict(await client.sign_transaction(**arguments.given()))


async def _list(client: AsyncClient, arguments: ListArguments) -> Json:
    found = []
    signed = arguments.include_signed_tx
    async for one in client.transactions(include_signed_tx=signed, limit=LISTED_MAX):
        found.append(one)
        if len(found) == LISTED_MAX:
            break
    return {"transactions": found}


async def _get(client: AsyncClient, arguments: GetArguments) -> Json:
    signed = arguments.include_signed_tx
    return dict(await client.transaction(arguments.transaction_id, include_signed_tx=signed))


async def _provision(client: AsyncClient, arguments: ChainArguments) -> Json:
    return dict(await client.provision_signing_key(arguments.chain))


async def _keys(client: AsyncClient, _arguments: Arguments) -> Json:
    return {"signing_keys": await client.signing_keys()}


async def _message(client: AsyncClient, arguments: MessageArguments) -> Json:
    return dict(await client.sign_message(arguments.message, chain=arguments.chain))


async def _typed_data(client: AsyncClient, arguments: TypedDataArguments) -> Json:
    return dict(await client.sign_typed_data(arguments.typed_data, chain=arguments.chain))


async def _explain(client: AsyncClient, _arguments: Arguments) -> Json:
    agent = dict(await client.me())
    return explained(agent, await client.chains(), [dict(k) for k in await client.signing_keys()])


TOOLS: dict[str, AgentTool] = {
    "explain_policy": AgentTool(
        "Explain what this agent may do and what is left of its limits in these 24 hours. "
        "Call it before the first transaction and after a refusal.",
        Arguments,
        _explain,
        reads=True,
    ),
    "simulate_transaction": AgentTool(
        "Simulate a transaction without signing it.", TransactionArguments, _simulate, reads=True
    ),
    "submit_transaction": AgentTool(
        "Sign and submit a transaction, by default after a simulation. If the status is pending, "
        "ask get_transaction; do not submit again.",
        SignedTransactionArguments,
        _submit,
    ),
    "sign_transaction": AgentTool(
        "Sign a transaction without broadcasting it; it counts against all limits.",
        SignedTransactionArguments,
        _sign,
    ),
    "list_transactions": AgentTool(
        f"List this agent's newest transactions, at most {LISTED_MAX}.",
        ListArguments,
        _list,
        reads=True,
    ),
    "get_transaction": AgentTool(
        "Show one transaction of this agent.", GetArguments, _get, reads=True
    ),
    "provision_signing_key": AgentTool(
        "Provision a signing key for a chain; only people may, so an agent is refused.",
        ChainArguments,
        _provision,
    ),
    "list_signing_keys": AgentTool(
        "List this agent's signing keys and their addresses.", Arguments, _keys, reads=True
    ),
    "sign_message": AgentTool("Sign a message (EIP-191).", MessageArguments, _message),
    "sign_typed_data": AgentTool("Sign typed data (EIP-712).", TypedDataArguments, _typed_data),
}


def described() -> list[Tool]:
    """Return the tools as the protocol lists them."""
    return [
        Tool(
            name=name,
            description=tool.description,
            input_schema=tool.arguments.model_json_schema(),
            annotations=ToolAnnotations(
                read_only_hint=tool.reads, destructive_hint=not tool.reads, open_world_hint=False
            ),
        )
        for name, tool in TOOLS.items()
    ]
