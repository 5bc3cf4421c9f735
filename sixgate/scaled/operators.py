"""Operators' records on Kafka: checked first, then appended, then waited for."""

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
from signer.vaults.orders import VaultOrdered
from sixgate.answers import snapshot
from sixgate.api import ApiError, Json, RemoteApiError
from sixgate.embedded.administration import check_record, checked_order, checked_vault_order
from sixgate.scaled.bus import Bus, Reading

READ_COUNT_MAX = 500
POLL_MS = 100


def register(bus: Bus, raw: bytes, wait_s: float) -> Json:
    """Append a registry record and return once it is the registry's; see ``Api.register``."""
    with bus.reading(bus.end_offsets(bus.places(Topic.REGISTRY))) as reading:
        with bus.refreshed() as world:
            registry = copy.deepcopy(world.registry)
        check_record(raw, registry)
        sequence = registry.sequence
        bus.append([Outgoing(Topic.REGISTRY, "", raw)])
        for record in _until(reading, wait_s, "the registry does not show the record"):
            try:
                registry.apply(record.value)
            except RegistryRecordError as error:
                if record.value == raw:  # somebody else's came first
                    raise ApiError("registry_refused", str(error)) from None
            else:
                if record.value == raw:
                    break
    return {"sequence": sequence}


def order_key(bus: Bus, raw: bytes, wait_s: float) -> Json:
    """Append an order about a key and return what it came to; see ``Api.order_key``."""
    with bus.reading(bus.end_offsets(bus.places(Topic.VAULT, Topic.AUDIT))) as reading:
        with bus.refreshed() as world:
            ordered = checked_order(raw, world.registry, world.keys)
            if key := world.keys.answered(ordered.id):
                return snapshot.key_answer(key)
        bus.append([Outgoing(Topic.KEY_REQUESTS, ordered.order.account, raw)])
        for record in _until(reading, wait_s, "the signer does not answer: see that it runs"):
            if record.topic is Topic.AUDIT:
                _refuse_if_told(record, raw)
                continue
            with bus.refreshed() as world:
                if key := world.keys.answered(ordered.id):
                    return snapshot.key_answer(key)
    raise AssertionError("it waits for an answer or raises")


def order_vault(bus: Bus, raw: bytes, wait_s: float) -> Json:
    """Append an order about a vault and return what it came to; see ``Api.order_vault``."""
    with bus.reading(bus.end_offsets(bus.places(Topic.VAULT, Topic.AUDIT))) as reading:
        with bus.refreshed() as world:
            ordered = checked_vault_order(raw, world.registry, bus.vaults)
            if found := snapshot.vault_answer(bus.vaults, ordered.id):
                return found
        bus.append([Outgoing(Topic.KEY_REQUESTS, ordered.order.account, raw)])
        for record in _until(reading, wait_s, "the signer does not answer: see that it runs"):
            if record.topic is Topic.AUDIT:
                _refuse_if_told(record, raw, "vault_refused")
                _refuse_if_judged(record, ordered)
                continue
            with bus.refreshed():
                if found := snapshot.vault_answer(bus.vaults, ordered.id):
                    return found
    raise AssertionError("it waits for an answer or raises")


def _refuse_if_told(record: Record, raw: bytes, code: str = "key_refused") -> None:
    """Raise ``ApiError`` with what the signer wrote down about a request."""
    with suppress(MalformedError):
        told = AuditRecord.decode(record.value)
        if told.action in ("key.refused", "recovery.refused") and told.subject == input_digest(raw):
            raise RemoteApiError(code, told.detail)


def _refuse_if_judged(record: Record, ordered: VaultOrdered) -> None:
    """Raise ``vault_refused`` with what the signer decided about whoever gave an order."""
    with suppress(MalformedError):
        told = SecretAccess.decode(record.value)
        name = event_id("secret.access", f"{ordered.refused_id}/{ordered.operation}")
        if told.id == name and not told.allowed:
            raise RemoteApiError("vault_refused", told.detail)


def _until(reading: Reading, wait_s: float, why: str) -> Iterator[Record]:
    """Yield what comes; raise ``connection_lost`` after ``wait_s``, the write being unknown."""
    until_s = time.monotonic() + wait_s
    while time.monotonic() < until_s:
        yield from reading.read(READ_COUNT_MAX, POLL_MS)
    raise ApiError("connection_lost", f"{why}; what was sent may still be taken")
