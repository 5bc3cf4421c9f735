"""Operators' signed records, checked before they are appended and read before the answer."""

import copy
from collections.abc import Callable

from schemas.canonical import Malformed
from schemas.dsse import Envelope
from schemas.keys import KeyRequest
from schemas.record import Outgoing
from schemas.topics import INTERNAL_BYTES_MAX, Topic
from signer.keys import KeyRefused, KeyRegister, read_request
from signer.registry import Registry, RegistryRefused
from signer.stage import StageHalted
from sixgate import snapshot
from sixgate.api import ApiError, Json, bytes_of
from sixgate.pipeline import Pipeline


def check_record(
    raw: bytes, registry: Registry, check_registered: Callable[[Registry], None] = lambda _: None
) -> None:
    """Raise ``registry_refused`` unless a registry would take a record next, and go on with it.

    One that halts the signer, and was appended, would leave no way to append another.
    """
    _check_size(raw, "registry_refused")
    try:
        after = copy.deepcopy(registry)
        after.apply(raw)
        check_registered(after)
    except (RegistryRefused, StageHalted) as error:
        raise ApiError("registry_refused", str(error)) from None


def checked_request(raw: bytes, registry: Registry, keys: KeyRegister) -> KeyRequest:
    """Return a key request that may be answered; raise ``key_refused``."""
    _check_size(raw, "key_refused")
    try:
        request = read_request(Envelope.decode(raw), registry)
        keys.check_free(request)
    except (Malformed, KeyRefused) as error:
        raise ApiError("key_refused", str(error)) from None
    return request


def register(pipeline: Pipeline, envelope: str) -> Json:
    """See ``Api.register``."""
    raw, stage = bytes_of(envelope), pipeline.parts.runner.stage
    with pipeline.lock:
        pipeline.step()
        sequence = stage.registry.sequence
        check_record(raw, stage.registry, pipeline.parts.runner.slot.operations.check_registered)
        pipeline.append([Outgoing(Topic.REGISTRY, "", raw)])
        pipeline.step()
    return {"sequence": sequence}


def provision(pipeline: Pipeline, envelope: str) -> Json:
    """See ``Api.provision``."""
    raw, stage = bytes_of(envelope), pipeline.parts.runner.stage
    with pipeline.lock:
        pipeline.step()
        request = checked_request(raw, stage.registry, stage.keys)
        pipeline.append([Outgoing(Topic.KEY_REQUESTS, request.account, raw)])
        pipeline.step()
        key = stage.keys.find(request.account, request.path)
    if key is None:
        raise ApiError("key_refused", "the key could not be made: see the audit records")
    return snapshot.key(key)


def _check_size(raw: bytes, code: str) -> None:
    """Refuse what would not fit on the bus, before anything is spent on reading it."""
    if len(raw) > INTERNAL_BYTES_MAX:
        raise ApiError(code, f"the record is over {INTERNAL_BYTES_MAX} bytes: split it")
