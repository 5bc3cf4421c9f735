"""Admission: the first gate. Authenticates a submitted record, or records it as unattributed."""

from schemas.canonical import MalformedError, event_id
from schemas.dsse import Envelope
from schemas.fields import TEXT_MAX
from schemas.intents.clearance import Clearance, Unattributed
from schemas.intents.reasons import Reason
from schemas.ledger.audit import input_digest
from schemas.partition import well_routed
from schemas.record import Record
from schemas.topics import SUBMITTED_BYTES_MAX, Topic
from signer.core.authentication import authenticate
from signer.core.errors import InvalidSignatureError, UnknownAgentError
from streams.gates.passage import GateProjections, Passage, case_of


class UnattributableError(Exception):
    """The record is not an authenticated intent; ``reason`` and the message say why."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def admit(record: Record, view: GateProjections, at_ms: int) -> Passage | Unattributed:
    """Authenticate a submitted record, in this order: form, agent, signature, partition."""
    try:
        return _authenticate(record, view, at_ms)
    except UnattributableError as error:
        return Unattributed(
            id=event_id(Topic.UNATTRIBUTED, record.source),
            at_ms=at_ms,
            input_digest=input_digest(record.value),
            size_bytes=len(record.value),
            reason=error.reason,
            detail=str(error)[:TEXT_MAX],
        )


def _authenticate(record: Record, view: GateProjections, at_ms: int) -> Passage:
    try:
        envelope = _envelope(record.value)
        authentic = authenticate(envelope, view.registry)
    except MalformedError as error:
        raise UnattributableError(Reason.MALFORMED, str(error)) from None
    except UnknownAgentError as error:
        raise UnattributableError(Reason.AGENT_UNKNOWN, str(error)) from None
    except InvalidSignatureError as error:
        raise UnattributableError(Reason.SIGNATURE_INVALID, str(error)) from None
    if not well_routed(record, authentic.intent.account, view.registry.partitions):
        detail = "the key or partition of the record does not match its account"
        raise UnattributableError(Reason.MISROUTED, detail)
    name = authentic.digest
    clearance = Clearance(
        id=event_id(Topic.SUBMITTED, name), intent=name, envelope=envelope, verdicts=()
    )
    case = case_of(authentic, view, at_ms)
    return Passage(record.source, case, clearance)


def _envelope(value: bytes) -> Envelope:
    if len(value) > SUBMITTED_BYTES_MAX:
        raise MalformedError("bytes", f"over {SUBMITTED_BYTES_MAX}")
    return Envelope.decode(value)
