"""Submits an intent for an agent and waits for its end.

1. A repeated idempotency key leads to the intent of the first request. Otherwise the request
   becomes an intent, which must pass the intake: rate, bytes and disk. Of a refused intent only a
   count remains.
2. The gateway's key signs the intent. With an idempotency key, it is stored before it is submitted.
3. The intent is appended to the pipeline's input. The reply waits for the outcome, up to a limit.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal

from schemas.canonical import canonical_bytes
from schemas.dsse import INTENT_TYPE, Envelope
from schemas.fields import TimeMs
from schemas.intents.intent import AnyIntent, decode_intent, intent_digest, request_digest
from schemas.intents.outcome import AnyOutcome, decode_outcome
from schemas.intents.reasons import Reason
from schemas.record import Outgoing
from schemas.registry.records import AgentSet
from schemas.topics import SUBMITTED_BYTES_MAX, Topic
from sixgate.answers.pending_records import names_of_intent
from sixgate.api import ApiError, Json
from sixgate.api.callers import Caller
from sixgate.api.intent_refusals import refused
from sixgate.api.limits import rate_problem
from sixgate.api.problems import Problem, forbidden, invalid
from sixgate.api.services import Services
from sixgate.backends.waiting import expecting
from sixgate.gateway.idempotency import (
    Begun,
    KeyConflictError,
    KeyInUseError,
    KeyName,
    NewRequest,
    SignedIntent,
    hashed_key,
)
from sixgate.intents.intake import RefusedCount, intents_max

REFUSALS = frozenset({"intent.rejected", "intent.unattributed"})
_TASKS: set["asyncio.Task[Ended]"] = set()


@dataclass(frozen=True, slots=True)
class Ended:
    """A submitted intent with its outcome, or without one when the wait was over.

    ``intent_id`` is the id of the intent that has the outcome. ``repeated`` is true if an earlier
    request made the intent.
    """

    intent_id: str
    intent: AnyIntent
    outcome: AnyOutcome | None
    repeated: bool

    def status(self, signed: HTTPStatus) -> HTTPStatus:
        """Return the HTTP status; ``signed`` is that of a new signature."""
        if self.outcome is None:
            return HTTPStatus.ACCEPTED
        return HTTPStatus.OK if self.repeated else signed


@dataclass(frozen=True, slots=True)
class Submitter:
    """The caller that submits an intent, and the action that is recorded with it."""

    services: Services
    caller: Caller
    action: Literal["transaction.submit", "transaction.sign", "message.sign"]


@dataclass(frozen=True, slots=True)
class Keyed:
    """An idempotency key as the caller sent it, and the digest of the request."""

    key: str
    request: str


def submitting_agent(services: Services, agent_id: str) -> AgentSet:
    """Return an agent that this gateway may sign for; raise a 403 problem for another one."""
    agent = services.backend.read.registered.agents[agent_id]
    if agent.public_key is not None:
        raise forbidden(
            "agent_has_own_key",
            f"Agent {agent_id} has a key of its own: it must sign its intents and publish them "
            "itself; this gateway cannot sign for it.",
        )
    if agent.gateway != services.gateway_key.keyid:
        raise forbidden(
            "agent_of_another_gateway",
            f"Agent {agent_id} belongs to gateway {agent.gateway}: send the request there.",
        )
    return agent


def _admitted(services: Services, intent: AnyIntent) -> SignedIntent:
    """Return a new intent in an envelope; raise a 400, 429 or 503 problem if it is refused."""
    body, at_ms = intent.encode(), services.now_ms()
    # 1.
    limit = intents_max(services.backend.read.registered, intent.agent)
    over = services.intake.admit(intent.agent, limit, body, at_ms)
    record_refused(services, at_ms)
    if over is not None:
        sentence = f"{over.detail[:1].upper()}{over.detail[1:]}; nothing was stored or signed"
        raise rate_problem(over.wait_ms, sentence, over.code)
    # 2.
    envelope = services.gateway_key.sign_envelope(INTENT_TYPE, body).encode()
    if len(envelope) > SUBMITTED_BYTES_MAX:
        size = f"makes an intent of {len(envelope)} bytes; the maximum is {SUBMITTED_BYTES_MAX}"
        raise invalid({"body": size})
    return SignedIntent(intent.account, intent_digest(body), envelope)


def record_refused(services: Services, at_ms: TimeMs | None = None) -> None:
    """Record the refused counts of ended minutes; all counts if ``at_ms`` is None."""
    counts = services.intake.ended(at_ms)
    if counts:
        services.backend.submit.append([_refused_call(services, one) for one in counts])


def _refused_call(services: Services, refused: RefusedCount) -> Outgoing:
    agent = f"agent:{refused.agent}"
    details = {"minute_ms": refused.minute_ms, "count": refused.count, "digest": refused.digest}
    return services.calls.event(agent, "", "intent.over_limit", agent, details)


def resume(services: Services) -> int:
    """Submit the intents of idempotency keys whose end is not known; return how many.

    The process may have ended between storing an intent and submitting it. The signer drops those
    that it had received.
    """
    append = services.backend.submit.append
    return services.idempotency.resume(lambda signed: append([_record(signed)]))


async def submit_once(by: Submitter, make: Callable[[str], AnyIntent]) -> Ended:
    """Submit a new intent; ``make`` gets a random key, because the caller sent none."""
    intent = make(f"api-{by.services.random_hex(16)}")
    return await _to_end(_unkeyed(by, intent))


async def submit_keyed(by: Submitter, keyed: Keyed, make: Callable[[str], AnyIntent]) -> Ended:
    """Submit the intent of an idempotency key, new or made by an earlier request.

    ``make`` gets the key for the intent. Raises 409 problems: ``idempotency_conflict`` for another
    request with the key, ``request_in_progress`` while the first one is undecided.
    """
    name = KeyName(by.caller.id, hashed_key(keyed.key))
    return await _to_end(_keyed(by, name, keyed.request, make))


async def _to_end(work: Coroutine[Any, Any, Ended]) -> Ended:
    """Finish the work also if the caller is gone: the intent may be submitted already."""
    task = asyncio.create_task(work)
    _TASKS.add(task)
    task.add_done_callback(_TASKS.discard)
    return await asyncio.shield(task)


async def _keyed(
    by: Submitter, name: KeyName, request: str, make: Callable[[str], AnyIntent]
) -> Ended:
    services, keys = by.services, by.services.idempotency
    begun = await asyncio.to_thread(_begin, services, name, request, make)
    outcome, submitted = begun.outcome, begun.submitted
    try:
        intent = _intent(begun.signed)
        if begun.repeated and outcome is None:
            outcome = await asyncio.to_thread(services.backend.outcome, begun.signed.intent)
            if outcome is None:
                _check_not_pending(services, begun, intent)
        if outcome is None:
            submitted = False  # if appending fails, a repetition appends it again
            outcome = await _result(by, intent, begun.signed)
            submitted = True
    finally:
        keys.finish(name, outcome, submitted=submitted)
    if outcome is not None and outcome.get("reason") == Reason.RATE_EXCEEDED:
        # The intent does not own its key, so a retry after the minute makes a new one.
        await asyncio.to_thread(keys.release, name, begun.signed.intent)
    return _ended(intent, begun.signed, outcome, repeated=begun.repeated, with_key=True)


def _begin(
    services: Services, name: KeyName, request: str, make: Callable[[str], AnyIntent]
) -> Begun:
    def repeats(earlier: SignedIntent) -> bool:
        return request_digest(make(name.key)) == request_digest(_intent(earlier))

    try:
        return services.idempotency.begin(
            name,
            NewRequest(request, lambda: _admitted(services, make(name.key)), repeats),
            now_ms=services.now_ms(),
            remember_ms=services.backend.read.registered.settings.remember_ms,
        )
    except KeyConflictError as error:
        raise Problem(
            HTTPStatus.CONFLICT,
            "idempotency_conflict",
            f"This Idempotency-Key belongs to another request, transaction {error.intent}: to "
            "retry that one, send its body unchanged; nothing was signed for this one.",
            extra={"transaction_id": error.intent},
        ) from None
    except KeyInUseError as error:
        raise _in_progress(error.intent) from None


def _in_progress(intent: str) -> Problem:
    return Problem(
        HTTPStatus.CONFLICT,
        "request_in_progress",
        f"The first request with this Idempotency-Key is undecided, transaction {intent}: retry "
        "in a moment with the same key.",
        headers={"Retry-After": "1"},
        extra={"transaction_id": intent},
    )


def _check_not_pending(services: Services, begun: Begun, intent: AnyIntent) -> None:
    """Raise ``request_in_progress`` if the intent was submitted and is still valid.

    Otherwise it is submitted again: a submission that failed may have left no trace.
    """
    if begun.submitted and services.now_ms() < intent.expires_at_ms:
        raise _in_progress(begun.signed.intent)


async def _unkeyed(by: Submitter, intent: AnyIntent) -> Ended:
    signed = await asyncio.to_thread(_admitted, by.services, intent)
    outcome = await _result(by, intent, signed)
    return _ended(intent, signed, outcome, repeated=False, with_key=False)


async def _result(by: Submitter, intent: AnyIntent, signed: SignedIntent) -> Json | None:
    """Append a signed intent and return how it ends, or None when the wait is over."""
    backend = by.services.backend
    names = names_of_intent(intent, signed.intent, signed.envelope, signed.account)
    try:
        with expecting(backend, names) as expected:
            await asyncio.to_thread(_append_with_call, by, signed)
            end = await expected.result(by.services.wait_s)
    except ApiError as error:
        raise _unknown(error, signed.intent) from None
    finally:
        by.services.transactions.outdate()  # the caller may read its transaction right now
    if end is None:
        return None
    result: Json = end["result"]
    return result


def _unknown(error: ApiError, intent: str) -> Problem:
    """Return the problem of a failure after which the intent may still be signed."""
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        error.code,
        f"{str(error).rstrip('.')}; it is unknown whether transaction {intent} will be signed: "
        "read it later, or repeat the request with the same Idempotency-Key if it had one.",
        headers={"Retry-After": "1"},
        extra={"transaction_id": intent},
    )


def _append_with_call(by: Submitter, signed: SignedIntent) -> None:
    """Append an intent together with the record of who sent it, and from where."""
    resource = f"transaction:{signed.intent}"
    call = by.services.calls.event(by.caller.actor, by.caller.client_ip, by.action, resource)
    by.services.backend.submit.append([_record(signed), call])


def _record(signed: SignedIntent) -> Outgoing:
    return Outgoing(Topic.SUBMITTED, signed.account, signed.envelope)


def _ended(
    intent: AnyIntent,
    signed: SignedIntent,
    outcome: Json | None,
    *,
    repeated: bool,
    with_key: bool,
) -> Ended:
    """Return the end of an intent; raise the problem of a refused one."""
    # Another gateway may have submitted the same request first: its intent has the outcome.
    first = str(outcome.get("intent") or signed.intent) if outcome else signed.intent
    if outcome is not None and outcome["type"] in REFUSALS:
        raise refused(outcome, first, with_key=with_key)
    decoded = decode_outcome(canonical_bytes(outcome)) if outcome else None
    return Ended(first, intent, decoded, repeated or first != signed.intent)


def _intent(signed: SignedIntent) -> AnyIntent:
    return decode_intent(Envelope.decode(signed.envelope).body())
