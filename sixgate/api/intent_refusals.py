"""HTTP answers to refused intents: one table from reasons to statuses."""

from http import HTTPStatus
from typing import NamedTuple

from schemas.intents.money import wei_to_eth
from schemas.intents.reason_meanings import MEANING
from schemas.intents.reasons import Reason
from sixgate.api import Json
from sixgate.api.problems import Problem


class Answer(NamedTuple):
    """An HTTP status, the seconds in ``Retry-After``, and the code if it is not the reason."""

    status: HTTPStatus
    retry_after_s: int | None = None
    code: str | None = None


_REFUSED = Answer(HTTPStatus.FORBIDDEN)
_INVALID = Answer(HTTPStatus.BAD_REQUEST)
_CONFLICT = Answer(HTTPStatus.CONFLICT)
_UNAVAILABLE = Answer(HTTPStatus.SERVICE_UNAVAILABLE)
_RETRY = _UNAVAILABLE._replace(retry_after_s=1)
_REPEATABLE = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}

ANSWERS: dict[Reason, Answer] = {
    # The gateway makes and routes intents, so these are its own fault or that of another version.
    Reason.MALFORMED: _RETRY,
    Reason.MISROUTED: _RETRY,
    Reason.INTERNAL_ERROR: _RETRY,
    Reason.EXPIRY_TOO_FAR: _RETRY,
    # It waited longer than it was valid.
    Reason.EXPIRED: _RETRY,
    Reason.SIGNATURE_INVALID: _REFUSED,
    Reason.AGENT_UNKNOWN: _REFUSED,
    Reason.AGENT_INACTIVE: _REFUSED,
    Reason.AGENT_EXPIRED: _REFUSED,
    Reason.INTENTS_API_OFF: _REFUSED,
    Reason.POLICY_MISSING: _REFUSED,
    Reason.POLICY_NOT_EXPLICIT: _REFUSED,
    Reason.IDEMPOTENCY_CONFLICT: _CONFLICT,
    Reason.RATE_EXCEEDED: Answer(HTTPStatus.TOO_MANY_REQUESTS, 60),
    Reason.RECIPIENT_NOT_ALLOWED: _REFUSED,
    Reason.CONTRACT_CREATION: _REFUSED,
    Reason.VALUE_TOO_HIGH: _REFUSED,
    Reason.FEE_TOO_HIGH: _REFUSED,
    Reason.DAILY_LIMIT_EXCEEDED: _REFUSED,
    Reason.CHAIN_UNKNOWN: _REFUSED,
    Reason.CHAIN_NOT_ALLOWED: _REFUSED,
    # The documented word for a revert is ``simulation_failed``.
    Reason.SIMULATION_REVERTED: Answer(HTTPStatus.UNPROCESSABLE_ENTITY, code="simulation_failed"),
    Reason.SIMULATION_MISSING: _UNAVAILABLE,  # until an operator adds a simulator
    Reason.SIMULATION_FAILED: _RETRY._replace(code="simulation_unavailable"),
    Reason.SIMULATION_STALE: _RETRY,
    Reason.SIMULATION_UNTRUSTED: _RETRY,
    Reason.KEY_UNKNOWN: _REFUSED,
    Reason.KEY_NOT_GRANTED: _REFUSED,
    Reason.KEY_INACTIVE: _REFUSED,
    Reason.KEY_CHAIN_WRONG: _REFUSED,
    Reason.KEY_UNAVAILABLE: _RETRY,
    Reason.CLIENT_SHARE_MISSING: _REFUSED,
    Reason.CLIENT_SHARE_WRONG: _REFUSED,
    Reason.FEE_UNKNOWN: _INVALID,
    Reason.NONCE_USED: _CONFLICT,
    Reason.NONCE_TOO_HIGH: _CONFLICT,
    Reason.INVALID_TRANSACTION: _INVALID,
    Reason.MESSAGE_SIGNING_OFF: _REFUSED,
    Reason.MESSAGE_TOO_LARGE: _INVALID,
    Reason.RAW_HASH: _REFUSED,
    Reason.INVALID_TYPED_DATA: _INVALID,
    Reason.DOMAIN_NOT_ALLOWED: _REFUSED,
    Reason.SPENDING_NOT_ALLOWED: _REFUSED,
    Reason.DELEGATE_NOT_ALLOWED: _REFUSED,
    Reason.ANY_CHAIN_DELEGATION: _REFUSED,
}


def refused(event: Json, intent: str, *, with_key: bool) -> Problem:
    """Return the problem of an ``intent.rejected`` or ``intent.unattributed``.

    ``with_key`` if the request had an idempotency key: then its repetition gets the same answer.
    """
    reason = Reason(event["reason"])
    answer = ANSWERS[reason]
    retry_after_s = answer.retry_after_s
    return Problem(
        answer.status,
        answer.code or reason.value,
        f"{_sentence(reason, event)}{_advice(reason, with_key=with_key)}; transaction {intent}.",
        headers={} if retry_after_s is None else {"Retry-After": str(retry_after_s)},
        extra={"transaction_id": intent, "gate": event.get("gate")},
    )


def _sentence(reason: Reason, event: Json) -> str:
    meaning, detail = MEANING[reason].rstrip("."), str(event["detail"]).rstrip(".")
    sentence = meaning if detail.lower() == meaning.lower() else f"{meaning}: {detail}"
    if reason is not Reason.DAILY_LIMIT_EXCEEDED:
        return sentence
    evidence = event.get("evidence") or {}
    left_wei = int(evidence["limit_wei"]) - int(evidence["spent_wei"])
    return f"{sentence}, {wei_to_eth(max(left_wei, 0))} is left today"


def _advice(reason: Reason, *, with_key: bool) -> str:
    if ANSWERS[reason].status not in _REPEATABLE:
        return ""
    kept = "the same" if reason is Reason.RATE_EXCEEDED else "a new"
    again = f"send it again with {kept} Idempotency-Key" if with_key else "it may be sent again"
    if reason is Reason.SIMULATION_MISSING:
        again += " when a simulator serves the chain, or without simulate_first if that is allowed"
    return f"; nothing was signed, {again}"
