"""``POST /v1/agents/{id}/sign``: messages, typed data and transactions of every type."""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Response

from schemas.intents.outcome import MessageSigned
from schemas.registry.key_chains import KeyChain
from signer.keys.addresses.derivation import display_address
from sixgate.api.callers import AgentItself, ServicesOf
from sixgate.api.direct_route import DirectRoute, json_response
from sixgate.api.models.base import timestamp
from sixgate.api.models.submissions import (
    MessageReply,
    PendingReply,
    SignRequest,
    TypedDataReply,
)
from sixgate.api.models.transactions import TransactionReply
from sixgate.api.problems import answers
from sixgate.api.requesting import (
    ClientShareOf,
    NoIdempotencyKey,
    chain_name,
    checked,
    transaction_reply,
)
from sixgate.api.services import Services
from sixgate.api.submission import Ended, Submitter, submit_once, submitting_agent
from sixgate.gateway.intents import created_at_ms, message_bytes

router = APIRouter(
    prefix="/v1/agents/{agent_id}/sign", tags=["transactions"], route_class=DirectRoute
)
SignReply = MessageReply | TypedDataReply | TransactionReply | PendingReply
_RESPONSES: dict[int | str, dict[str, Any]] = {
    202: {"model": PendingReply, "description": "Undecided: read the transaction later"},
    **answers(422),
}


@router.post("", response_model=SignReply, responses=_RESPONSES, dependencies=[NoIdempotencyKey])
async def sign(
    request: SignRequest,
    caller: AgentItself,
    services: ServicesOf,
    share: ClientShareOf,
) -> Response:
    """Sign a message (EIP-191), typed data (EIP-712) or a transaction of type 0 to 4."""
    agent = submitting_agent(services, caller.id)
    signing = checked(services, agent, request, share)
    transaction = request.intent_type == "transaction"
    by = Submitter(services, caller, "transaction.sign" if transaction else "message.sign")
    ended = await submit_once(by, signing.intent)
    return json_response(_reply(services, request, ended), ended.status(HTTPStatus.OK))


def _reply(services: Services, request: SignRequest, ended: Ended) -> SignReply:
    if ended.outcome is None:
        return PendingReply(id=ended.intent_id)
    if isinstance(ended.outcome, MessageSigned):
        return _signature_reply(services, request, ended, ended.outcome)
    return transaction_reply(services, ended)


def _signature_reply(
    services: Services, request: SignRequest, ended: Ended, outcome: MessageSigned
) -> MessageReply | TypedDataReply:
    sender = display_address(KeyChain.ETHEREUM, outcome.sender)
    members: dict[str, Any] = {
        "id": ended.intent_id,
        "chain": chain_name(services, outcome.chain_id),
        "chain_id": outcome.chain_id,
        "signature": outcome.message_signature,
        "from": sender,
        "from_address": sender,
        "created_at": timestamp(created_at_ms(ended.intent)),
    }
    if outcome.kind == "personal_sign":
        encoding = message_bytes(request)[1]
        return MessageReply(
            **members, message_hash=outcome.signed_digest, message_encoding=encoding
        )
    return TypedDataReply(
        **members,
        typed_data_hash=outcome.signed_digest,
        primary_type=outcome.primary_type,
        verifying_contract=outcome.verifying_contract,
    )
