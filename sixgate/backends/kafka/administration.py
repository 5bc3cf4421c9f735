"""Operators' records on Kafka: registry records, key orders and vault orders.

1. Open a reader at the ends of the topics that answer, so that no answer is missed.
2. Check the record against the current projections: a refused record is never appended.
3. Append it. *If the process ends after it, or times out, the record may still take effect.
   Repeating the same order is idempotent; a repeated registry record is refused, because its
   sequence is taken.*
4. Wait until the registry or the signer answers.
"""

import copy
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TypeVar

from schemas.canonical import MalformedError
from schemas.keys.secret_access import SecretAccess
from schemas.ledger.audit import AuditRecord, input_digest
from schemas.record import Outgoing, Record
from schemas.topics import Topic
from signer.core.errors import RegistryRecordError
from sixgate.api import ApiError, RemoteApiError
from sixgate.backends.kafka.bus import BlockingReader, Bus
from sixgate.backends.orders import CheckedOrder, CheckOrder, check_record

READ_COUNT_MAX = 500
POLL_MS = 100
T = TypeVar("T")


def register(bus: Bus, raw: bytes, wait_s: float) -> int:
    """Append a registry record and wait until the registry has it; return its sequence."""
    with bus.reading(bus.end_offsets(bus.partition_ids(Topic.REGISTRY))) as reading:
        # 2. If the process ends here, nothing was appended.
        with bus.refreshed():
            registry = copy.deepcopy(bus.registry)
        check_record(raw, registry)
        sequence = registry.record_count
        # 3. If the process ends after this line, every process applies the record, if it still is
        # the next one.
        bus.append([Outgoing(Topic.REGISTRY, "", raw)])
        for record in _records_until(reading, wait_s, "the record did not appear in the registry"):
            try:
                registry.apply(record.value)
            except RegistryRecordError as error:
                if record.value == raw:  # another record took its sequence number first
                    raise ApiError("registry_refused", str(error)) from None
            else:
                if record.value == raw:
                    break
    bus.refresh()  # so that the caller sees its record
    return sequence


def execute(bus: Bus, raw: bytes, check: CheckOrder[T], wait_s: float) -> T:
    """Append an order unless it has an answer already; return the signer's answer."""
    with bus.reading(bus.end_offsets(bus.partition_ids(Topic.VAULT, Topic.AUDIT))) as reading:
        # 2. If the process ends here, nothing was appended.
        with bus.refreshed():
            order = check(raw, bus.registry, bus.vaults)
            if (found := order.answer()) is not None:
                return found
        bus.append([Outgoing(Topic.KEY_REQUESTS, order.account, raw)])
        for record in _records_until(
            reading, wait_s, "the signer does not answer: check that it is running"
        ):
            if record.topic is Topic.AUDIT:
                _raise_refusal(record, raw, order.code)
                _raise_denial(record, order)
                continue
            with bus.refreshed():
                if (found := order.answer()) is not None:
                    return found
    raise AssertionError("unreachable: the loop returns an answer or raises")


def _raise_refusal(record: Record, raw: bytes, code: str) -> None:
    """Raise ``RemoteApiError`` if an audit record is the signer's refusal of this order."""
    with suppress(MalformedError):
        audit, refusals = AuditRecord.decode(record.value), ("key.refused", "recovery.refused")
        if audit.action in refusals and audit.subject == input_digest(raw):
            raise RemoteApiError(code, audit.detail)


def _raise_denial(record: Record, order: CheckedOrder[T]) -> None:
    """Raise ``RemoteApiError`` if an access record denies this order to its agent."""
    with suppress(MalformedError):
        access = SecretAccess.decode(record.value)
        if access.id == order.access_id and not access.allowed:
            raise RemoteApiError(order.code, access.detail)


def _records_until(reading: BlockingReader, wait_s: float, why: str) -> Iterator[Record]:
    """Yield new records; raise ``connection_lost`` after ``wait_s``: the result is then unknown."""
    until_s = time.monotonic() + wait_s
    while time.monotonic() < until_s:
        yield from reading.read(READ_COUNT_MAX, POLL_MS)
    raise ApiError("connection_lost", f"{why}; the record may still take effect")
