"""Operators' signed records, checked before they are appended and read before the answer."""

import copy

from schemas.canonical import Malformed
from schemas.dsse import Envelope
from schemas.keys import KeyRequest
from schemas.record import Outgoing
from schemas.topics import Topic
from signer.keys import KeyRefused, KeyRegister, read_request
from signer.registry import Registry, RegistryRefused
from sixgate import snapshot
from sixgate.api import ApiError, Json, bytes_of
from sixgate.pipeline import Pipeline


def check_record(raw: bytes, registry: Registry) -> None:
    """Raise ``registry_refused`` unless a registry would take a record next."""
    try:
        copy.deepcopy(registry).apply(raw)
    except RegistryRefused as error:
        raise ApiError("registry_refused", str(error)) from None


def checked_request(raw: bytes, registry: Registry, keys: KeyRegister) -> KeyRequest:
    """Return a key request that may be answered; raise ``key_refused``."""
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
        check_record(raw, stage.registry)
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
