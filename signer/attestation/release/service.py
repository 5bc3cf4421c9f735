"""One release at work: its nonces, its KMS and its signature around the pure decision."""

from collections.abc import Callable
from dataclasses import replace
from threading import Lock
from typing import Protocol

from schemas.release import AnyDecision, ReleaseReason, ReleaseRefused, request_digest
from signer.attestation.release.answers import grant, refuse
from signer.attestation.release.decision import judge
from signer.attestation.release.identity import ReleaseIdentity
from signer.attestation.release.nonces import RANDOM_BYTES, SECRET_BYTES, Nonces
from signer.attestation.release.operations import Allowed, ToWrap, Work
from signer.attestation.release.policy import ReleasePolicy
from signer.attestation.release.request import wipe_all
from signer.attestation.release.token_keys import TokenKey
from signer.custody.buffers import RandomBytes, draw
from signer.custody.errors import (
    CorruptError,
    KmsDeniedError,
    KmsKeyDisabledError,
    KmsKeyNotFoundError,
    KmsUnavailableError,
)
from signer.custody.kms.port import RootKms
from signer.signatures import Ed25519Signer

REASONS = {
    KmsUnavailableError: ReleaseReason.KMS_UNAVAILABLE,
    KmsDeniedError: ReleaseReason.KMS_DENIED,
    KmsKeyDisabledError: ReleaseReason.KMS_KEY_DISABLED,
    KmsKeyNotFoundError: ReleaseReason.KMS_KEY_NOT_FOUND,
    CorruptError: ReleaseReason.KMS_CORRUPT,
}


class Recorder(Protocol):
    """Where every grant and refusal is written before anybody sees it."""

    def record(self, event: bytes) -> None:
        """Write a signed event durably; what it raises ends the request without an answer."""
        ...


class ReleaseService:
    """Answers requests for one provider, from several threads.

    Raise ``ValueError`` for a KMS or a signature that is not the one the policy names.
    """

    def __init__(
        self,
        standing: ReleaseIdentity,
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
        self._time = Lock()
        self._latest_ms = 0
        self._standing = self._checked(standing)
        self._nonces = Nonces(bytes(draw(random_bytes, SECRET_BYTES)))

    def nonce(self) -> bytes:
        """Return a new nonce."""
        random = bytes(draw(self._random_bytes, RANDOM_BYTES))
        with self._lock:
            self._nonces, nonce = self._nonces.issue(random, self._now_ms())
        return nonce

    def renew(self, policy: ReleasePolicy, token_keys: tuple[TokenKey, ...]) -> None:
        """Go by another policy, which was accepted, and by the issuer's keys of now.

        Raise ``ValueError`` for an older one, and one that does not name this release as it is.
        """
        with self._lock:
            if policy.sequence < self._standing.policy.sequence:
                raise ValueError("the policy is older than the one that is in force")
            renewed = replace(self._standing, policy=policy, token_keys=token_keys)
            self._standing = self._checked(renewed)

    def answer(self, raw: bytes) -> bytes:
        """Return the signed answer to a request, once it is recorded."""
        with self._lock:
            standing, now_ms = self._standing, self._now_ms()
            judged = self._judge(raw, standing, now_ms)
        decision = judged if isinstance(judged, ReleaseRefused) else self._carry_out(judged)
        signed = self._signer.sign_event(decision)
        self._recorder.record(signed)
        return signed

    def _now_ms(self) -> int:
        """Return a time that never goes back: what was over once, policy or token, stays over."""
        with self._time:
            self._latest_ms = max(self._latest_ms, self._clock_ms())
            return self._latest_ms

    def _judge(
        self, raw: bytes, standing: ReleaseIdentity, now_ms: int
    ) -> Allowed | ReleaseRefused:
        try:
            self._nonces, judged = judge(raw, standing, self._nonces, now_ms)
        except Exception:  # noqa: BLE001 - what cannot be judged is refused
            name = request_digest(raw)
            return refuse(name, standing, ReleaseReason.INTERNAL_ERROR, now_ms)
        return judged

    def _carry_out(self, allowed: Allowed) -> AnyDecision:
        results: list[bytes | bytearray] = []
        try:
            for item in allowed.work:
                results.append(self._do(item))  # noqa: PERF401 - what came before a failure is wiped
            return grant(allowed, results, self._now_ms())
        except Exception as error:  # noqa: BLE001 - whatever an adapter raises, it is a refusal
            reason = next(
                (one for kind, one in REASONS.items() if isinstance(error, kind)),
                ReleaseReason.INTERNAL_ERROR,
            )
            return refuse(allowed.request, allowed.standing, reason, self._now_ms())
        finally:
            allowed.wipe()
            wipe_all(results)

    def _do(self, item: Work) -> bytes | bytearray:
        if isinstance(item, ToWrap):
            return self._kms.wrap(item.content, item.context)
        return self._kms.unwrap(item.blob, item.context)

    def _checked(self, standing: ReleaseIdentity) -> ReleaseIdentity:
        holder = standing.holder
        if holder.kms_key != self._kms.key_id or holder.signing_key != self._signer.public_key:
            raise ValueError(
                "the policy names another KMS key or another signature for this release"
            )
        return standing
