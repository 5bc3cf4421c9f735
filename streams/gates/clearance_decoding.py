"""Decodes a record between two gates to its intent and the verdicts so far."""

from typing import NamedTuple

from schemas.canonical import MalformedError
from schemas.clearance import Clearance
from schemas.intent import AnyIntent, decode_intent, intent_digest
from schemas.partition import well_routed
from schemas.record import Record
from signer.case import Authentic
from signer.registered import UnknownAgentError
from streams.gates.admission import source_of
from streams.gates.clearance_cache import ClearanceCache, DecodedClearance
from streams.gates.passage import GateProjections, Passage, case_of


class ClearanceError(Exception):
    """The record is not a valid clearance of an intent in this partition; it ends here."""


class Received(NamedTuple):
    """A clearance in its account's partition that names the intent it carries.

    Its content is not verified: any writer to the topic could have forged it.
    """

    source: str
    clearance: Clearance
    intent: AnyIntent


def receive(record: Record, partitions: int, cache: ClearanceCache | None = None) -> Received:
    """Decode a clearance, or take it from the cache; raise ``ClearanceError``."""
    decoded = (cache and cache.take(record.value)) or _decode(record.value)
    if not well_routed(record, decoded.intent.account, partitions):
        raise ClearanceError("the key or partition of the record does not match its account")
    return Received(source_of(record), *decoded)


def _decode(value: bytes) -> DecodedClearance:
    try:
        clearance = Clearance.decode(value)
        body = clearance.envelope.body()
        intent = decode_intent(body)
    except MalformedError as error:
        raise ClearanceError(str(error)) from None
    if clearance.intent != intent_digest(body):
        raise ClearanceError("the clearance names another intent than it carries")
    return DecodedClearance(clearance, intent)


def resume(received: Received, view: GateProjections, at_ms: int) -> Passage:
    """Return a received intent for the next gate; raise ``ClearanceError`` for unknown agents."""
    source, clearance, intent = received
    try:
        agent = view.registry.agent_of(intent)
    except UnknownAgentError as error:
        raise ClearanceError(str(error)) from None
    case = case_of(Authentic(intent, agent, clearance.intent), view, at_ms)
    passage = Passage(source, case, clearance)
    report = clearance.simulation
    return passage.with_report(report, view) if report else passage
