"""From a record between two gates back to the intent and the verdicts so far."""

from typing import NamedTuple

from schemas.canonical import MalformedError
from schemas.clearance import Clearance
from schemas.intent import AnyIntent, decode_intent, intent_digest
from schemas.partition import well_routed
from schemas.record import Record
from signer.case import Authentic
from signer.registered import UnknownAgentError
from streams.gates.admission import source_of
from streams.gates.clearance_cache import ClearanceCache, Opened
from streams.gates.passage import GateProjections, Passage, case_of


class ClearanceError(Exception):
    """The record is no clearance of an intent that could have come here; it goes no further."""


class Received(NamedTuple):
    """A clearance that names the intent it carries, where its account's records belong.

    Nothing in it is proven: whoever writes to the topic could have made it up.
    """

    source: str
    clearance: Clearance
    intent: AnyIntent


def receive(record: Record, partitions: int, underway: ClearanceCache | None = None) -> Received:
    """Decode a clearance, unless it is ``underway``; raise ``ClearanceError``."""
    opened = (underway and underway.take(record.value)) or _open(record.value)
    if not well_routed(record, opened.intent.account, partitions):
        raise ClearanceError("the record is not where its account's belong")
    return Received(source_of(record), *opened)


def _open(value: bytes) -> Opened:
    try:
        clearance = Clearance.decode(value)
        body = clearance.envelope.body()
        intent = decode_intent(body)
    except MalformedError as error:
        raise ClearanceError(str(error)) from None
    if clearance.intent != intent_digest(body):
        raise ClearanceError("the clearance names another intent than it carries")
    return Opened(clearance, intent)


def resume(received: Received, view: GateProjections, at_ms: int) -> Passage:
    """Return a received intent as it stands before the next gate; raise ``ClearanceError``."""
    source, clearance, intent = received
    try:
        agent = view.registry.agent_of(intent)
    except UnknownAgentError as error:
        raise ClearanceError(str(error)) from None
    case = case_of(Authentic(intent, agent, clearance.intent), view, at_ms)
    passage = Passage(source, case, clearance)
    report = clearance.simulation
    return passage.with_report(report, view) if report else passage
