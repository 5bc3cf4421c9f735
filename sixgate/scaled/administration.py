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

from schemas.access import SecretAccess
from schemas.audit import AuditRecord, input_digest
from schemas.canonical import MalformedError, event_id
from schemas.record import Outgoing, Record
from schemas.topics import Topic
from signer.registry import RegistryRecordError
from signer.vaults.orders import VerifiedVaultOrder
from sixgate.answers import snapshot
from sixgate.api import ApiError, Json, RemoteApiError
from sixgate.embedded.administration import check_record, checked_order, checked_vault_order
from sixgate.scaled.bus import BlockingReader, Bus

READ_COUNT_MAX = 500
POLL_MS = 100


def register(bus: Bus, raw: bytes, wait_s: float) -> Json:
    """Append a registry record and wait until the registry has it; see ``Api.register``."""
    with bus.reading(bus.end_offsets(bus.partition_ids(Topic.REGISTRY))) as reading:
        # 2. If the process ends here, nothing was appended.
        with bus.refreshed() as projections:
            registry = copy.deepcopy(projections.registry)
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
    return {"sequence": sequence}


def order_key(bus: Bus, raw: bytes, wait_s: float) -> Json:
    """Append a key order and return the signer's answer; see ``Api.order_key``."""
    with bus.reading(bus.end_offsets(bus.partition_ids(Topic.VAULT, Topic.AUDIT))) as reading:
        with bus.refreshed() as projections:
            ordered = checked_order(raw, projections.registry, projections.keys)
            if key := projections.keys.answered(ordered.id):
                return snapshot.key_answer(key)
        bus.append([Outgoing(Topic.KEY_REQUESTS, ordered.order.account, raw)])
        for record in _records_until(
            reading, wait_s, "the signer does not answer: check that it is running"
        ):
            if record.topic is Topic.AUDIT:
                _raise_refusal(record, raw)
                continue
            with bus.refreshed() as projections:
                if key := projections.keys.answered(ordered.id):
                    return snapshot.key_answer(key)
    raise AssertionError("unreachable: the loop returns an answer or raises")


def order_vault(bus: Bus, raw: bytes, wait_s: float) -> Json:
    """Append a vault order and return the signer's answer; see ``Api.order_vault``."""
    with bus.reading(bus.end_offsets(bus.partition_ids(Topic.VAULT, Topic.AUDIT))) as reading:
        with bus.refreshed() as projections:
            ordered = checked_vault_order(raw, projections.registry, bus.vaults)
            if found := snapshot.vault_answer(bus.vaults, ordered.id):
                return found
        bus.append([Outgoing(Topic.KEY_REQUESTS, ordered.order.account, raw)])
        for record in _records_until(
            reading, wait_s, "the signer does not answer: check that it is running"
        ):
            if record.topic is Topic.AUDIT:
                _raise_refusal(record, raw, "vault_refused")
                _raise_denial(record, ordered)
                continue
            with bus.refreshed():
                if found := snapshot.vault_answer(bus.vaults, ordered.id):
                    return found
    raise AssertionError("unreachable: the loop returns an answer or raises")


def _raise_refusal(record: Record, raw: bytes, code: str = "key_refused") -> None:
    """Raise ``RemoteApiError`` if an audit record is the signer's refusal of this order."""
    with suppress(MalformedError):
        audit, refusals = AuditRecord.decode(record.value), ("key.refused", "recovery.refused")
        if audit.action in refusals and audit.subject == input_digest(raw):
            raise RemoteApiError(code, audit.detail)


def _raise_denial(record: Record, ordered: VerifiedVaultOrder) -> None:
    """Raise ``vault_refused`` if an access record denies this order to the agent that gave it."""
    with suppress(MalformedError):
        access = SecretAccess.decode(record.value)
        access_id = event_id("secret.access", f"{ordered.refused_id}/{ordered.operation}")
        if access.id == access_id and not access.allowed:
            raise RemoteApiError("vault_refused", access.detail)


def _records_until(reading: BlockingReader, wait_s: float, why: str) -> Iterator[Record]:
    """Yield new records; raise ``connection_lost`` after ``wait_s``: the result is then unknown."""
    until_s = time.monotonic() + wait_s
    while time.monotonic() < until_s:
        yield from reading.read(READ_COUNT_MAX, POLL_MS)
    raise ApiError("connection_lost", f"{why}; the record may still take effect")
