"""``POST /v1/agents/{id}/transactions``: submit a transaction, or only sign it."""

from http import HTTPStatus
from typing import Any, Literal

from fastapi import APIRouter, Response

from schemas.intents.intent import AnyIntent
from sixgate.api.callers import AgentItself, ServicesOf
from sixgate.api.direct_route import DirectRoute, json_response
from sixgate.api.models.submissions import PendingReply, TransactionRequest
from sixgate.api.models.transactions import TransactionReply
from sixgate.api.problems import answers
from sixgate.api.requesting import (
    ClientShareOf,
    IdempotencyKeyOf,
    checked,
    keyed,
    transaction_reply,
)
from sixgate.api.submission import Submitter, submit_keyed, submit_once, submitting_agent

router = APIRouter(
    prefix="/v1/agents/{agent_id}/transactions", tags=["transactions"], route_class=DirectRoute
)
Mode = Literal["submit"] | None
Reply = TransactionReply | PendingReply
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"model": TransactionReply, "description": "The first reply to this Idempotency-Key"},
    202: {"model": PendingReply, "description": "Undecided: read the transaction later"},
    **answers(422),
}


@router.post("", status_code=201, response_model=Reply, responses=_RESPONSES)
async def submit(
    request: TransactionRequest,
    caller: AgentItself,
    services: ServicesOf,
    key: IdempotencyKeyOf,
    share: ClientShareOf,
) -> Response:
    """Submit a transaction: the signer checks all guardrails and signs it.

    Waits at most 20 seconds for the outcome. Nothing is broadcast yet: ``broadcast`` is false.
    """
    by = Submitter(services, caller, "transaction.submit")
    return await _answer(by, request, share, key)


@router.post("/sign", status_code=201, response_model=Reply, responses=_RESPONSES)
async def sign(
    request: TransactionRequest,
    caller: AgentItself,
    services: ServicesOf,
    key: IdempotencyKeyOf,
    share: ClientShareOf,
) -> Response:
    """Sign a transaction that the caller broadcasts; the same guardrails and limits apply."""
    by = Submitter(services, caller, "transaction.sign")
    return await _answer(by, request, share, key)


async def _answer(
    by: Submitter,
    request: TransactionRequest,
    share: str | None,
    key: str | None,
) -> Response:
    """Submit the intent, once per idempotency key, and return the reply."""
    services = by.services
    mode: Mode = "submit" if by.action == "transaction.submit" else None
    signing = checked(services, submitting_agent(services, by.caller.id), request, share)

    def make(intent_key: str) -> AnyIntent:
        return signing.intent(intent_key, mode)

    if key is None:
        ended = await submit_once(by, make)
    else:
        ended = await submit_keyed(by, keyed(key, request, mode), make)
    status = ended.status(HTTPStatus.CREATED)
    if ended.outcome is None:
        return json_response(PendingReply(id=ended.intent_id), status)
    return json_response(transaction_reply(services, ended), status)
