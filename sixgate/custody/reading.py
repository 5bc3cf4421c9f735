"""Read requests of agents: decided, recorded, and only then answered; in every deployment.

1. Read registry and vault to their end. 2. Verify the request and decide. 3. Open what may be read.
4. Append the audit record. *If the process ends before that, nothing was answered. If it ends after
that, the record exists without an answer, and the agent sends a new request.* 5. Answer.
"""

import base64
import secrets
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from schemas.ledger.audit import audited, input_digest
from schemas.record import Outgoing
from signer.core.registry.registry import Registry
from signer.custody.errors import (
    Cause,
    CustodyError,
    KmsUnavailableError,
    ProviderFailure,
    QuorumError,
    SharesMismatchError,
)
from signer.custody.hpke import HpkeKey
from signer.keys.access import Refused
from signer.keys.access_records import Use, access_record
from signer.keys.key_register import KeyRegister
from signer.keys.vaults.secret_sealing import SecretSealing
from signer.secrets.read_requests import ReadRequestError, VerifiedRequest
from signer.secrets.secret_service import ReadDecision, SealedAnswer, SecretService
from sixgate.api import ApiError, Json


class ReadEnvironment(Protocol):
    """What a deployment provides for reads: current registry and vault, time, audit records."""

    @property
    def actor(self) -> str:
        """The actor in the audit records of requests that fail verification."""
        ...

    def current(self) -> AbstractContextManager[int]:
        """Read registry and vault to their end; keep them unchanged; yield the time in ms."""
        ...

    def record(self, event: Outgoing) -> None:
        """Append an audit record, durable on return; raise if that is not certain."""
        ...


def new_secret_service(
    registry: Registry, keys: KeyRegister, sealing: SecretSealing
) -> SecretService:
    """Return a secret service with a new reading key, which exists only in this process."""
    return SecretService(registry, keys, sealing, HpkeKey.generate(secrets.token_bytes))


def reading_key(service: SecretService) -> Json:
    """See ``Api.reading_key``."""
    return {"public_key": f"0x{service.reading_key.public_key.hex()}"}


def read(
    environment: ReadEnvironment, service: SecretService, raw: bytes, client_address: str
) -> Json:
    """See ``Api.read_secret``; raise ``ApiError``, or an error that ends the process unanswered.

    Other requests and updates continue while a secret is opened: versions are immutable, and the
    decision holds as of ``now_ms``.
    """
    # 1. and 2.
    with environment.current() as now_ms:
        verified = _verify(environment, service, raw, now_ms)
        decision = service.authorize(verified, now_ms)
    recorder = _ReadRecorder(environment, verified, decision, client_address, now_ms)
    if isinstance(decision.access, Refused) or decision.missing:
        recorder.record()
        raise _refusal(verified, decision)
    # 3. Outside the lock: holders may take long.
    try:
        answer = service.serve(verified, decision)
    except (CustodyError, ReadRequestError) as error:
        recorder.record(_failures(error))
        raise ApiError(code_of(error), str(error)) from None
    # 4. Raises if the record may not be durable; then the answer is not sent.
    recorder.record(answer.failures)
    # 5.
    return _json_answer(answer)


def code_of(error: CustodyError | ReadRequestError) -> str:
    """Return the API code of an error.

    ``read_refused`` and ``custody_failed`` need a change by the caller; ``custody_unavailable``
    means that a provider did not answer in time, so a retry may succeed.
    """
    if isinstance(error, ReadRequestError):
        return "read_refused"
    waiting = any(failure.cause is Cause.UNAVAILABLE for failure in _failures(error))
    if isinstance(error, KmsUnavailableError) or (isinstance(error, QuorumError) and waiting):
        return "custody_unavailable"
    return "custody_failed"


class _ReadRecorder:
    """Builds and appends the audit record of a decided request."""

    def __init__(
        self,
        environment: ReadEnvironment,
        verified: VerifiedRequest,
        decision: ReadDecision,
        client_address: str,
        at_ms: int,
    ) -> None:
        request, found = verified.request, decision.found
        self._environment = environment
        self._access = decision.access
        self._use = Use(
            request=verified.name,
            org=request.org,
            vault=verified.vault,
            path=request.path,
            version=found[0].version if len(found) == 1 else request.version,
            operation=request.operation,
            actor=request.agent,
            client_address=client_address,
            at_ms=at_ms,
        )

    def record(self, failures: Sequence[ProviderFailure] = ()) -> None:
        self._environment.record(access_record(self._use, self._access, tuple(failures)))


def _verify(
    environment: ReadEnvironment, service: SecretService, raw: bytes, now_ms: int
) -> VerifiedRequest:
    try:
        return service.verify(raw, now_ms)
    except ReadRequestError as error:
        name = input_digest(raw)
        source = f"read/{name}/{now_ms}"
        record = audited(
            "read.refused", source, name, str(error), actor=environment.actor, at_ms=now_ms
        )
        environment.record(record)
        raise ApiError("read_refused", str(error)) from None


def _refusal(verified: VerifiedRequest, decision: ReadDecision) -> ApiError:
    if isinstance(decision.access, Refused):
        return ApiError("access_refused", f"{decision.access.detail} ({decision.access.reason})")
    path, version = verified.request.path, verified.request.version
    which = f"version {version} of {path}" if version else path
    return ApiError("secret_unknown", f"{verified.vault.name} has no {which}")


def _failures(error: Exception) -> tuple[ProviderFailure, ...]:
    return error.failures if isinstance(error, QuorumError | SharesMismatchError) else ()


def _json_answer(answer: SealedAnswer) -> Json:
    box = base64.b64encode(answer.box).decode()
    return {"box": box, "failed": [failure.provider for failure in answer.failures]}
