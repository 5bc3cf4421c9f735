"""``POST /v1/agents/{id}/transactions``: submit a transaction, or only sign it."""

from http import HTTPStatus
from typing import Any, Literal

from fastapi import APIRouter, Response

from schemas.intent import AnyIntent
from sixgate.api.callers import AgentItself, ServicesOf
from sixgate.api.models.submissions import PendingReply, TransactionRequest
from sixgate.api.models.transactions import TransactionReply
from sixgate.api.problems import answers
from sixgate.api.requesting import (
    ClientShareOf,
    IdempotencyKeyOf,
    Signing,
    checked,
    form_problems,
    keyed,
    transaction_reply,
)
from sixgate.api.submission import Ended, Submitter, submit_keyed, submit_once, submitting_agent
from sixgate.gateway.intents import transaction_intent

router = APIRouter(prefix="/v1/agents/{agent_id}/transactions", tags=["transactions"])
Mode = Literal["submit"] | None
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"model": TransactionReply, "description": "The first reply to this Idempotency-Key"},
    202: {"model": PendingReply, "description": "Undecided: read the transaction later"},
    **answers(400, 401, 403, 404, 409, 422, 429, 503),
}


@router.post("", status_code=201, responses=_RESPONSES)
async def submit(
    request: TransactionRequest,
    caller: AgentItself,
    services: ServicesOf,
    key: IdempotencyKeyOf,
    share: ClientShareOf,
    response: Response,
) -> TransactionReply | PendingReply:
    """Submit a transaction: the signer checks all guardrails and signs it.

    Waits at most 20 seconds for the outcome. Nothing is broadcast yet: ``broadcast`` is false.
    """
    agent = submitting_agent(services, caller.id)
    by = Submitter(services, caller, "transaction.submit")
    ended = await _end(by, checked(services, agent, request, share), key, "submit")
    response.status_code = ended.status(HTTPStatus.CREATED)
    return _reply(services, ended)


@router.post("/sign", status_code=201, responses=_RESPONSES)
async def sign(
    request: TransactionRequest,
    caller: AgentItself,
    services: ServicesOf,
    key: IdempotencyKeyOf,
    share: ClientShareOf,
    response: Response,
) -> TransactionReply | PendingReply:
    """Sign a transaction for the caller to send; guardrails and limits count as for submitting."""
    agent = submitting_agent(services, caller.id)
    by = Submitter(services, caller, "transaction.sign")
    ended = await _end(by, checked(services, agent, request, share), key, None)
    response.status_code = ended.status(HTTPStatus.CREATED)
    return _reply(services, ended)


async def _end(by: Submitter, signing: Signing, key: str | None, mode: Mode) -> Ended:
    """Submit the request's intent once, or once per idempotency key, and return its end."""
    services = by.services

    def make(intent_key: str) -> AnyIntent:
        with form_problems():
            found = signing.target()
            request = signing.request.model_copy(update={"client_share": signing.shared(found)})
            origin = signing.origin(intent_key, mode)
            return transaction_intent(request, found, origin, services.org)

    if key is None:
        return await submit_once(by, lambda: make(f"api-{services.random_hex(16)}"))
    return await submit_keyed(by, keyed(key, signing.request, mode), make)


def _reply(services: ServicesOf, ended: Ended) -> TransactionReply | PendingReply:
    if ended.outcome is None:
        return PendingReply(id=ended.intent_id)
    return transaction_reply(services, ended)
