"""The ten tools: nine of the documented API and ``explain_policy``."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from mcp_types import Tool, ToolAnnotations
from sixgate_client.async_client import AsyncOperations
from sixgate_client.errors import Json

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

LISTED_MAX = 100


class AgentTool(NamedTuple):
    """One tool: the description that a model reads, and the client's method that it calls.

    The names of ``arguments`` are those of the method's parameters.
    """

    description: str
    arguments: type[Arguments]
    call: Callable[..., Awaitable[Mapping[str, object]]]
    reads: bool = False


async def _list(client: AsyncOperations, *, include_signed_tx: bool) -> Json:
    found = []
    async for one in client.transactions(include_signed_tx=include_signed_tx, limit=LISTED_MAX):
        found.append(one)
        if len(found) == LISTED_MAX:
            break
    return {"transactions": found}


async def _keys(client: AsyncOperations) -> Json:
    return {"signing_keys": await client.signing_keys()}


async def _explain(client: AsyncOperations) -> Json:
    return explained(await client.me(), await client.chains(), await client.signing_keys())


TOOLS: dict[str, AgentTool] = {
    "explain_policy": AgentTool(
        "Explain what this agent may do and what is left of its limits in these 24 hours. "
        "Call it before the first transaction and after a refusal.",
        Arguments,
        _explain,
        reads=True,
    ),
    "simulate_transaction": AgentTool(
        "Simulate a transaction without signing it.",
        TransactionArguments,
        AsyncOperations.simulate,
        reads=True,
    ),
    "submit_transaction": AgentTool(
        "Sign and submit a transaction, by default after a simulation. If the status is pending, "
        "ask get_transaction; do not submit again.",
        SignedTransactionArguments,
        AsyncOperations.submit,
    ),
    "sign_transaction": AgentTool(
        "Sign a transaction without broadcasting it; it counts against all limits.",
        SignedTransactionArguments,
        AsyncOperations.sign_transaction,
    ),
    "list_transactions": AgentTool(
        f"List this agent's newest transactions, at most {LISTED_MAX}.",
        ListArguments,
        _list,
        reads=True,
    ),
    "get_transaction": AgentTool(
        "Show one transaction of this agent.", GetArguments, AsyncOperations.transaction, reads=True
    ),
    "provision_signing_key": AgentTool(
        "Provision a signing key for a chain; only people may, so an agent is refused.",
        ChainArguments,
        AsyncOperations.provision_signing_key,
    ),
    "list_signing_keys": AgentTool(
        "List this agent's signing keys and their addresses.", Arguments, _keys, reads=True
    ),
    "sign_message": AgentTool(
        "Sign a message (EIP-191).", MessageArguments, AsyncOperations.sign_message
    ),
    "sign_typed_data": AgentTool(
        "Sign typed data (EIP-712).", TypedDataArguments, AsyncOperations.sign_typed_data
    ),
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
