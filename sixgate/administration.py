"""Operators' signed records, checked before they are appended and read before the answer."""

import copy

from schemas.canonical import Malformed
from schemas.dsse import Envelope
from schemas.record import Outgoing
from schemas.topics import Topic
from signer.keys import KeyRefused, read_request
from signer.registry import RegistryRefused
from sixgate import snapshot
from sixgate.api import ApiError, Json, bytes_of
from sixgate.pipeline import Pipeline


def register(pipeline: Pipeline, envelope: str) -> Json:
    """See ``Api.register``."""
    raw, stage = bytes_of(envelope), pipeline.parts.runner.stage
    with pipeline.lock:
        pipeline.step()
        sequence = stage.registry.sequence
        try:
            copy.deepcopy(stage.registry).apply(raw)
        except RegistryRefused as error:
            raise ApiError("registry_refused", str(error)) from None
        pipeline.append([Outgoing(Topic.REGISTRY, "", raw)])
        pipeline.step()
    return {"sequence": sequence}


def provision(pipeline: Pipeline, envelope: str) -> Json:
    """See ``Api.provision``."""
    raw, stage = bytes_of(envelope), pipeline.parts.runner.stage
    with pipeline.lock:
        pipeline.step()
        try:
            request = read_request(Envelope.decode(raw), stage.registry)
            stage.keys.check_free(request)
        except (Malformed, KeyRefused) as error:
            raise ApiError("key_refused", str(error)) from None
        pipeline.append([Outgoing(Topic.KEY_REQUESTS, request.account, raw)])
        pipeline.step()
        key = stage.keys.find(request.account, request.path)
    if key is None:
        raise ApiError("key_refused", "the key could not be made: see the audit records")
    return snapshot.key(key)
