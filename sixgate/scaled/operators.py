"""Operators' records on Kafka: checked first, then appended, then waited for."""

import copy
import time
from collections.abc import Iterator
from contextlib import suppress

from schemas.audit import AuditRecord, input_digest
from schemas.canonical import Malformed
from schemas.record import Outgoing, Record
from schemas.topics import Topic
from signer.registry import RegistryRefused
from sixgate import snapshot
from sixgate.administration import check_record, checked_request
from sixgate.api import ApiError, Json
from sixgate.scaled.bus import Bus, Reading

READ_COUNT_MAX = 500
POLL_MS = 100


def register(bus: Bus, raw: bytes, wait_s: float) -> Json:
    """Append a registry record and return once it is the registry's; see ``Api.register``."""
    with bus.reading(bus.ends(bus.places(Topic.REGISTRY))) as reading:
        with bus.known() as world:
            registry = copy.deepcopy(world.registry)
        check_record(raw, registry)
        sequence = registry.sequence
        bus.append([Outgoing(Topic.REGISTRY, "", raw)])
        for record in _until(reading, wait_s, "the registry does not show the record"):
            try:
                registry.apply(record.value)
            except RegistryRefused as error:
                if record.value == raw:  # somebody else's came first
                    raise ApiError("registry_refused", str(error)) from None
            else:
                if record.value == raw:
                    break
    return {"sequence": sequence}


def provision(bus: Bus, raw: bytes, wait_s: float) -> Json:
    """Append a key request and return the signer's answer; see ``Api.provision``."""
    with bus.reading(bus.ends(bus.places(Topic.VAULT, Topic.AUDIT))) as reading:
        with bus.known() as world:
            request = checked_request(raw, world.registry, world.keys)
        bus.append([Outgoing(Topic.KEY_REQUESTS, request.account, raw)])
        for record in _until(reading, wait_s, "the signer does not answer: see that it runs"):
            if record.topic is Topic.AUDIT:
                _refuse_if_told(record, raw)
                continue
            with bus.known() as world:
                if key := world.keys.find(request.account, request.path):
                    return snapshot.key(key)
    raise AssertionError("it waits for an answer or raises")


def _refuse_if_told(record: Record, raw: bytes) -> None:
    """Raise ``key_refused`` with what the signer wrote down about a request."""
    with suppress(Malformed):
        told = AuditRecord.decode(record.value)
        if told.action == "key.refused" and told.subject == input_digest(raw):
            raise ApiError("key_refused", told.detail)


def _until(reading: Reading, wait_s: float, why: str) -> Iterator[Record]:
    """Yield what comes; raise ``connection_lost`` after ``wait_s``, the write being unknown."""
    until_s = time.monotonic() + wait_s
    while time.monotonic() < until_s:
        yield from reading.read(READ_COUNT_MAX, POLL_MS)
    raise ApiError("connection_lost", f"{why}; what was sent may still be taken")
