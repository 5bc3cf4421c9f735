"""What the log's records say about transactions, after verification. Pure.

Writers of a topic are not trusted: an intent counts if its agent signed it, an outcome if a signer
of the organisation did. Repetitions are recorded by the signer without a signature, so the reader
must compare both intents before it believes one.
"""

import re
from typing import NamedTuple

import orjson

from schemas.canonical import MalformedError
from schemas.dsse import INTENT_TYPE, Envelope
from schemas.intents.intent import AnyIntent, decode_intent, intent_digest
from schemas.intents.outcome import AnyOutcome, decode_outcome
from schemas.partition import well_routed
from schemas.record import Record
from schemas.topics import SUBMITTED_BYTES_MAX
from signer.core.errors import InvalidSignatureError, UnknownAgentError
from signer.core.registry.registered import Registered
from signer.core.signatures import open_envelope
from signer.custody.event_signing import verify_event_of_any

_DUPLICATE = b'"intent.duplicate"'
_DIGEST = re.compile(r"0x[0-9a-f]{64}", re.ASCII)


class Submitted(NamedTuple):
    """A well-formed intent, its digest and its envelope; the signature is not verified."""

    id: str
    intent: AnyIntent
    envelope: Envelope


class Repetition(NamedTuple):
    """An intent that shares the outcome of an earlier one, by digests. Nobody signed this."""

    intent: str
    first: str


def submitted_intent(record: Record, registered: Registered) -> Submitted | None:
    """Return the intent in a record, or None if there is none or the record is misrouted."""
    if len(record.value) > SUBMITTED_BYTES_MAX:
        return None
    try:
        found = parsed(record.value)
    except MalformedError:
        return None
    routed = well_routed(record, found.intent.account, registered.partitions)
    return found if routed and found.intent.org == registered.org else None


def parsed(value: bytes) -> Submitted:
    """Return the intent in an envelope's bytes; raise ``MalformedError``."""
    envelope = Envelope.decode(value)
    body = envelope.body()
    return Submitted(intent_digest(body), decode_intent(body), envelope)


def is_authentic(submitted: Submitted, registered: Registered) -> bool:
    """Return whether the intent's agent signed it with a key that is registered now.

    An outcome proves the same for good: it names the intent's digest, and the signer verified the
    key that was registered then.
    """
    try:
        agent = registered.agent_of(submitted.intent)
        open_envelope(submitted.envelope, INTENT_TYPE, registered.key_of_agent(agent))
    except (UnknownAgentError, InvalidSignatureError):
        return False
    return True


def verified_outcome(record: Record, registered: Registered) -> AnyOutcome | None:
    """Return the outcome in a record, or None unless a signer of the organisation signed it."""
    try:
        outcome = decode_outcome(record.value)
        # Any key that the signer ever had counts: outcomes stay valid after a key rotation.
        verify_event_of_any(outcome, registered.signer_keys.get(outcome.signer, ()))
    except (MalformedError, InvalidSignatureError):
        return None
    return outcome if well_routed(record, outcome.account, registered.partitions) else None


def recorded_repetition(record: Record) -> Repetition | None:
    """Return the repetition that an audit record names, or None."""
    if _DUPLICATE not in record.value:
        return None  # most audit records: not worth parsing
    try:
        content = orjson.loads(record.value)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(content, dict) or content.get("action") != "intent.duplicate":
        return None
    found = Repetition(str(content.get("subject")), str(content.get("detail")))
    if found.intent == found.first or not all(map(_DIGEST.fullmatch, found)):
        return None  # the same intent again
    return found
