"""Clearances on topics: decodes what a gate wrote for the next gate or for the signer.

A process caches the clearances it wrote, so that its own next gate need not decode them.
"""

from typing import NamedTuple

from schemas.canonical import MalformedError
from schemas.intents.clearance import Clearance
from schemas.intents.intent import AnyIntent, decode_intent, intent_digest
from schemas.partition import well_routed
from schemas.record import Record

CACHED_COUNT_MAX = 4_096
CACHED_BYTES_MAX = 8 * 1024


class ClearanceError(Exception):
    """The record is not a valid clearance of an intent in this partition; it ends here."""


class DecodedClearance(NamedTuple):
    """A decoded clearance and the intent that it names and carries."""

    clearance: Clearance
    intent: AnyIntent


class Received(NamedTuple):
    """A clearance in its account's partition that names the intent it carries.

    Its content is not verified: any writer to the topic could have forged it.
    """

    source: str
    clearance: Clearance
    intent: AnyIntent


class ClearanceCache:
    """Decoded clearances by their bytes; beyond ``CACHED_COUNT_MAX`` the oldest are evicted.

    Decoding depends on the bytes alone, so equal bytes from any writer may use an entry. The next
    gate still checks agent and partition.
    """

    def __init__(self) -> None:
        self._entries: dict[bytes, DecodedClearance] = {}

    def put(self, value: bytes, decoded: DecodedClearance) -> None:
        """Add the decoded form of ``value``."""
        if len(value) <= CACHED_BYTES_MAX:
            self._entries[value] = decoded
            if len(self._entries) > CACHED_COUNT_MAX:
                del self._entries[next(iter(self._entries))]

    def take(self, value: bytes) -> DecodedClearance | None:
        """Remove and return the decoded form of ``value``, if cached."""
        return self._entries.pop(value, None)


def receive(record: Record, partitions: int, cache: ClearanceCache | None = None) -> Received:
    """Decode a clearance, or take it from the cache; raise ``ClearanceError``."""
    decoded = (cache and cache.take(record.value)) or _decode(record.value)
    if not well_routed(record, decoded.intent.account, partitions):
        raise ClearanceError("the key or partition of the record does not match its account")
    return Received(record.source, *decoded)


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
