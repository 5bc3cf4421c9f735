"""Release service: nonces, KMS, recording and signature around the pure decision.

One request:
1. Decide. A genuine report uses up its nonce, in memory.
   *If the process ends here, nothing was released; the next process knows none of this one's
   nonces.*
2. The KMS wraps or unwraps; results are sealed to the attested key, plaintexts wiped.
3. Sign the decision and record it durably.
   *If the process ends after that, a grant is recorded, but its answer was not received. The
   signer's next request has another nonce, so there may be more grants than answers, never fewer.*
4. Return the answer.
"""

from collections.abc import Callable
from dataclasses import replace
from threading import Lock
from typing import Protocol

from schemas.keys.release import AnyDecision, ReleaseReason, ReleaseRefused, request_digest
from signer.attestation.release.judge.answers import grant, refuse
from signer.attestation.release.judge.decision import judge
from signer.attestation.release.judge.identity import ReleaseIdentity
from signer.attestation.release.judge.nonces import RANDOM_BYTES, SECRET_BYTES, ReleaseNonces
from signer.attestation.release.judge.operations import AllowedRequest, KmsOperation, KmsWrap
from signer.attestation.release.judge.token_keys import TokenKey
from signer.attestation.release.policy import ReleasePolicy
from signer.attestation.release.request import wipe_all
from signer.custody.buffers import RandomBytes, draw
from signer.custody.errors import (
    CorruptError,
    KmsDeniedError,
    KmsKeyDisabledError,
    KmsKeyNotFoundError,
    KmsUnavailableError,
)
from signer.custody.event_signing import Ed25519Signer
from signer.custody.kms.port import RootKms

REASONS = {
    KmsUnavailableError: ReleaseReason.KMS_UNAVAILABLE,
    KmsDeniedError: ReleaseReason.KMS_DENIED,
    KmsKeyDisabledError: ReleaseReason.KMS_KEY_DISABLED,
    KmsKeyNotFoundError: ReleaseReason.KMS_KEY_NOT_FOUND,
    CorruptError: ReleaseReason.KMS_CORRUPT,
}


class Recorder(Protocol):
    """Writes every grant and refusal before its answer is sent."""

    def record(self, event: bytes) -> None:
        """Write a signed event durably; an exception ends the request without an answer."""
        ...


class ReleaseService:
    """Answers requests for one provider. Thread-safe.

    Raise ``ValueError`` for a KMS key or signing key that the policy does not name.
    """

    def __init__(
        self,
        identity: ReleaseIdentity,
        kms: RootKms,
        signer: Ed25519Signer,
        recorder: Recorder,
        clock_ms: Callable[[], int],
        random_bytes: RandomBytes,
    ) -> None:
        self._kms = kms
        self._signer = signer
        self._recorder = recorder
        self._clock_ms = clock_ms
        self._random_bytes = random_bytes
        self._lock = Lock()
        self._clock_lock = Lock()
        self._latest_ms = 0
        self._identity = self._checked(identity)
        self._nonces = ReleaseNonces(bytes(draw(random_bytes, SECRET_BYTES)))

    def nonce(self) -> bytes:
        """Issue a nonce."""
        random = bytes(draw(self._random_bytes, RANDOM_BYTES))
        with self._lock:
            self._nonces, nonce = self._nonces.issue(random, self._now_ms())
        return nonce

    def renew(self, policy: ReleasePolicy, token_keys: tuple[TokenKey, ...]) -> None:
        """Replace the policy by another accepted one, and the issuer's keys.

        Raise ``ValueError`` for an older policy, or one that does not name this release's keys.
        """
        with self._lock:
            if policy.sequence < self._identity.policy.sequence:
                raise ValueError("the policy is older than the one in force")
            renewed = replace(self._identity, policy=policy, token_keys=token_keys)
            self._identity = self._checked(renewed)

    def answer(self, raw: bytes) -> bytes:
        """Decide a request; record and return the signed answer."""
        # 1. One at a time: two requests must not use the same nonce.
        with self._lock:
            identity, now_ms = self._identity, self._now_ms()
            judged = self._judge(raw, identity, now_ms)
        # 2. Outside of the lock: a slow KMS does not delay other requests.
        decision = judged if isinstance(judged, ReleaseRefused) else self._execute(judged)
        # 3. If recording fails, the answer is not sent: no unrecorded grant leaves the process.
        signed = self._signer.sign_event(decision)
        self._recorder.record(signed)
        # 4. Only the attested key opens the results.
        return signed

    def _now_ms(self) -> int:
        """Return a time that never goes back: an expired policy or token stays expired."""
        with self._clock_lock:
            self._latest_ms = max(self._latest_ms, self._clock_ms())
            return self._latest_ms

    def _judge(
        self, raw: bytes, identity: ReleaseIdentity, now_ms: int
    ) -> AllowedRequest | ReleaseRefused:
        try:
            self._nonces, judged = judge(raw, identity, self._nonces, now_ms)
        except Exception:  # noqa: BLE001 - an unexpected failure is a refusal
            name = request_digest(raw)
            return refuse(name, identity, ReleaseReason.INTERNAL_ERROR, now_ms)
        return judged

    def _execute(self, allowed: AllowedRequest) -> AnyDecision:
        results: list[bytes | bytearray] = []
        try:
            for item in allowed.calls:
                results.append(self._call_kms(item))  # noqa: PERF401 - a failure wipes earlier ones
            return grant(allowed, results, self._now_ms())
        except Exception as error:  # noqa: BLE001 - any failure of an adapter is a refusal
            reason = next(
                (one for kind, one in REASONS.items() if isinstance(error, kind)),
                ReleaseReason.INTERNAL_ERROR,
            )
            return refuse(allowed.request, allowed.identity, reason, self._now_ms())
        finally:
            allowed.wipe()
            wipe_all(results)

    def _call_kms(self, item: KmsOperation) -> bytes | bytearray:
        if isinstance(item, KmsWrap):
            return self._kms.wrap(item.content, item.context)
        return self._kms.unwrap(item.blob, item.context)

    def _checked(self, identity: ReleaseIdentity) -> ReleaseIdentity:
        holder = identity.holder
        if holder.kms_key != self._kms.key_id or holder.signing_key != self._signer.public_key:
            raise ValueError("the policy names another KMS key or signing key for this release")
        return identity
