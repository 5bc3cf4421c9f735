"""``GET /v1/agents/{agent_id}/transactions``: an agent's transactions, read from a projection.

A single transaction is read on the event loop, because that takes some 20 µs and a thread costs
more. Folding the log and reading a list take longer, so they run in a thread. Replies are stored
as JSON and sent as they are.
"""

import asyncio
import re
from typing import Annotated, Literal

import orjson
from fastapi import APIRouter, Query, Response

from sixgate.api.callers import AgentOrPerson, ServicesOf
from sixgate.api.direct_route import DirectRoute
from sixgate.api.models.transactions import TransactionList, TransactionReply, TransactionStatus
from sixgate.api.pages import CursorQuery, LimitQuery
from sixgate.api.problems import answers, invalid, not_found
from sixgate.api.services import Services
from sixgate.gateway.idempotency import hashed_key
from sixgate.gateway.transaction_store import Filter, Place

router = APIRouter(
    prefix="/v1/agents/{agent_id}/transactions", tags=["transactions"], route_class=DirectRoute
)
SignedQuery = Annotated[
    bool, Query(description="Include `signed_tx` and `signature`, which reads leave out.")
]
StatusQuery = Annotated[
    TransactionStatus | Literal["broadcast", "awaiting_approval"] | None,
    Query(description="Only transactions with this status."),
]
KeyQuery = Annotated[
    str | None,
    Query(max_length=256, description="Only transactions submitted with this idempotency key."),
]
_CURSOR = re.compile(r"([0-9]{1,16})\.([0-9]{1,16})\.([0-9]{1,9})", re.ASCII)


@router.get("", response_model=TransactionList, responses=answers(400, 401, 404, 429, 503))
def list_transactions(  # noqa: PLR0913 - the documented parameters
    agent_id: str,
    _caller: AgentOrPerson,
    services: ServicesOf,
    *,
    include_signed_tx: SignedQuery = False,
    limit: LimitQuery = 1000,
    cursor: CursorQuery = None,
    status: StatusQuery = None,
    idempotency_key: KeyQuery = None,
) -> Response:
    """List an agent's transactions and signed messages, newest first.

    A page of large transactions has fewer than ``limit``; ``next_cursor`` is null on the last one.
    """
    _check_agent(services, agent_id)
    # Keys of requests are stored as hashes; agents with keys of their own choose them in full.
    given = idempotency_key
    keys = () if given is None else (given, hashed_key(given))
    filters = Filter(_place(cursor), status, keys)
    services.transactions.catch_up()
    page = services.transactions.newest(
        agent_id, limit, filters, include_signed_tx=include_signed_tx
    )
    next_cursor = None if page.next is None else ".".join(map(str, page.next))
    end = orjson.dumps({"next_cursor": next_cursor})
    return _json(b'{"transactions":[' + b",".join(page.replies) + b"]," + end[1:])


@router.get("/{tx_id}", response_model=TransactionReply, responses=answers(400, 401, 404, 429, 503))
async def get_transaction(
    agent_id: str,
    tx_id: str,
    _caller: AgentOrPerson,
    services: ServicesOf,
    *,
    include_signed_tx: SignedQuery = False,
) -> Response:
    """Return one transaction, by its id or its transaction hash."""
    if not services.transactions.is_current():
        await asyncio.to_thread(services.transactions.catch_up)
    found = services.transactions.reply(agent_id, tx_id, include_signed_tx=include_signed_tx)
    if found is None:
        raise not_found("transaction", tx_id)
    return _json(found)


def _check_agent(services: Services, agent_id: str) -> None:
    """Raise a 404 problem for an unknown agent; a deleted one keeps its transactions."""
    if agent_id not in services.backend.read.registered.agents:
        raise not_found("agent", agent_id)


def _place(cursor: str | None) -> Place | None:
    if cursor is None:
        return None
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise invalid({"cursor": "is not a next_cursor of this list"})
    return Place(*map(int, found.groups()))


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")
