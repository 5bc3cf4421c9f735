"""Agents' requests to read secrets: decided, put on record, and only then answered.

One way, wherever it runs: 1. Read what is registered and stored to its end. 2. Prove the request,
and decide. 3. Open what may be read. 4. Put it on record. 5. Answer.
"""

import base64
import secrets
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from schemas.audit import audited, input_digest
from schemas.record import Outgoing
from signer.access import Refused
from signer.access_records import Use, access_record
from signer.custody.errors import (
    CustodyError,
    KmsUnavailableError,
    QuorumError,
    SharesMismatchError,
)
from signer.custody.failures import Cause, ProviderFailure
from signer.custody.hpke import HpkeKey
from signer.keys.register import KeyRegister
from signer.registry import Registry
from signer.vaults.read_requests import ProvenRequest, ReadRequestError
from signer.vaults.secret_sealing import SecretSealing
from signer.vaults.secret_service import ReadDecision, SealedAnswer, SecretService
from sixgate.api import ApiError, Json


class ReadEnvironment(Protocol):
    """Where secrets are served: what is registered there, the time, and its audit records."""

    @property
    def actor(self) -> str:
        """In whose name a request is refused that proves nothing."""
        ...

    def current(self) -> AbstractContextManager[int]:
        """Read registry and vault to their end; lend them, still, and the time in milliseconds."""
        ...

    def record(self, event: Outgoing) -> None:
        """Append an audit record, durable on return; raises where that is not certain."""
        ...


def desk(registry: Registry, keys: KeyRegister, keeper: SecretSealing) -> SecretService:
    """Return a desk with a reading key of this process alone."""
    return SecretService(registry, keys, keeper, HpkeKey.generate(secrets.token_bytes))


def reading_key(desk: SecretService) -> Json:
    """See ``Api.reading_key``."""
    return {"public_key": f"0x{desk.reading_key.public_key.hex()}"}


def read(here: ReadEnvironment, desk: SecretService, raw: bytes, client_address: str) -> Json:
    """See ``Api.read_secret``; raise ``ApiError``, or what ends the process without an answer.

    While a secret is opened everything else goes on: nothing that was opened changes, and what is
    decided counts as of now.
    """
    with here.current() as now_ms:
        proven = _proven(here, desk, raw, now_ms)
        decision = desk.authorize(proven, now_ms)
    reading = _Reading(here, proven, decision, client_address, now_ms)
    if isinstance(decision.access, Refused) or decision.missing:
        reading.record()
        raise _refusal(proven, decision)
    try:
        answer = desk.serve(proven, decision)
    except (CustodyError, ReadRequestError) as error:
        reading.record(_failures(error))
        raise ApiError(code_of(error), str(error)) from None
    reading.record(answer.failures)
    return _answer(answer)


def code_of(error: CustodyError | ReadRequestError) -> str:
    """Say whose turn it is: the asker's (``read_refused``, ``custody_failed``), or the providers'.

    ``custody_unavailable``: one of them gave no answer in time, so the same may succeed later.
    """
    if isinstance(error, ReadRequestError):
        return "read_refused"
    waiting = any(failure.cause is Cause.UNAVAILABLE for failure in _failures(error))
    if isinstance(error, KmsUnavailableError) or (isinstance(error, QuorumError) and waiting):
        return "custody_unavailable"
    return "custody_failed"


class _Reading:
    """A request that was decided, and is to be put on record."""

    def __init__(
        self,
        here: ReadEnvironment,
        proven: ProvenRequest,
        decision: ReadDecision,
        client_address: str,
        at_ms: int,
    ) -> None:
        request, found = proven.request, decision.found
        self._here = here
        self._access = decision.access
        self._use = Use(
            request=proven.name,
            org=request.org,
            vault=proven.vault,
            path=request.path,
            version=found[0].version if len(found) == 1 else request.version,
            operation=request.operation,
            actor=request.agent,
            client_address=client_address,
            at_ms=at_ms,
        )

    def record(self, failures: Sequence[ProviderFailure] = ()) -> None:
        self._here.record(access_record(self._use, self._access, tuple(failures)))


def _proven(here: ReadEnvironment, desk: SecretService, raw: bytes, now_ms: int) -> ProvenRequest:
    try:
        return desk.verify(raw, now_ms)
    except ReadRequestError as error:
        name = input_digest(raw)
        source = f"read/{name}/{now_ms}"
        told = audited("read.refused", source, name, str(error), actor=here.actor, at_ms=now_ms)
        here.record(told)
        raise ApiError("read_refused", str(error)) from None


def _refusal(proven: ProvenRequest, decision: ReadDecision) -> ApiError:
    if isinstance(decision.access, Refused):
        return ApiError("access_refused", f"{decision.access.detail} ({decision.access.reason})")
    path, version = proven.request.path, proven.request.version
    which = f"version {version} of {path}" if version else path
    return ApiError("secret_unknown", f"there is no {which} in {proven.vault.name}")


def _failures(error: Exception) -> tuple[ProviderFailure, ...]:
    return error.failures if isinstance(error, QuorumError | SharesMismatchError) else ()


def _answer(answer: SealedAnswer) -> Json:
    box = base64.b64encode(answer.box).decode()
    return {"box": box, "failed": [failure.provider for failure in answer.failures]}
