"""Whether a release uses its KMS for somebody: decided from what came, and from nothing else.

``judge`` proves a request in a fixed order and says what is to be done, ``grant`` seals what came
of it for the attested key, and for no other. Between the two a shell asks the KMS. The token is
opened only after the evidence holds, so that nobody tries tokens here without a genuine machine.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from schemas.canonical import Malformed
from schemas.release import (
    Context,
    IdentityContext,
    KekContext,
    ReleaseAsk,
    ReleaseGranted,
    ReleaseReason,
    ReleaseRefused,
    ShareContext,
    Wrap,
    context_digest,
    decision_id,
    request_digest,
)
from signer.attestation.binding import Binding, Purpose
from signer.attestation.errors import AttestationError
from signer.attestation.release.nonces import NonceRefused, Nonces
from signer.attestation.release.policy import ReleaseHolder, ReleasePolicy
from signer.attestation.release.request import (
    REQUEST_BYTES_MAX,
    ReleaseRequest,
    answer_box_info,
    ask_box_info,
    join_frames,
    split_frames,
    wipe_all,
)
from signer.attestation.release.token_keys import TokenKey
from signer.attestation.release.workload_token import TokenRefused, Workload, check_token
from signer.attestation.verify import Verified, verify
from signer.custody.buffers import wiping
from signer.custody.errors import CorruptError
from signer.custody.hpke import HpkeKey, public_key_of, seal
from signer.custody.kms.port import PLAINTEXT_BYTES_MAX
from signer.custody.modes import PLANS


@dataclass(frozen=True, slots=True)
class Standing:
    """Who a release is and what it goes by; raise ``ValueError`` if the policy has no such release.

    ``key`` opens what is sealed for it; ``token_keys`` are the issuer's at this time.
    """

    provider: str
    policy: ReleasePolicy
    token_keys: tuple[TokenKey, ...]
    key: HpkeKey = field(repr=False)

    def __post_init__(self) -> None:
        holder = self.policy.holder(self.provider)
        if holder is None or holder.sealing_key != f"0x{self.key.public_key.hex()}":
            raise ValueError(f"the policy does not name this release for {self.provider}")

    @property
    def holder(self) -> ReleaseHolder:
        """Return what the policy says of this release."""
        return next(one for one in self.policy.holders if one.provider == self.provider)


@dataclass(frozen=True, slots=True)
class ToUnwrap:
    """A blob for the KMS to unwrap under this context."""

    blob: bytes = field(repr=False)
    context: bytes


@dataclass(frozen=True, slots=True)
class ToWrap:
    """What the KMS is to wrap under this context, in a buffer that ``Allowed.wipe`` wipes."""

    content: bytearray = field(repr=False)
    context: bytes


Work: TypeAlias = ToUnwrap | ToWrap


@dataclass(frozen=True, slots=True)
class Allowed:
    """A request that passed every check: what the KMS is to do, and for which attested key."""

    request: str
    ask: ReleaseAsk
    binding: Binding
    attested_key: bytes
    verified: Verified
    workload: Workload
    work: tuple[Work, ...]
    standing: Standing

    def wipe(self) -> None:
        """Overwrite what was to be wrapped."""
        wipe_all(item.content for item in self.work if isinstance(item, ToWrap))


class _Refusal(Exception):  # noqa: N818 - ends the checks, seen by nobody
    def __init__(self, reason: ReleaseReason, code: str | None = None) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.code = code


def judge(
    raw: bytes, standing: Standing, nonces: Nonces, now_ms: int
) -> tuple[Nonces, Allowed | ReleaseRefused]:
    """Return the next state of the nonces, and what is to be done or why nothing is.

    A nonce is used up by the first genuine report on it, whatever becomes of the request.
    """
    request = request_digest(raw)
    try:
        # 1. A request for this release, at a time at which its policy counts.
        asked, nonce = _read(raw, standing, now_ms)
        # 2. A nonce of ours that is young and unused.
        nonces.check(nonce, now_ms)
        # 3. A report that binds nonce, attested key, ask and configuration.
        binding, attested_key = _bound(asked, nonce, standing.policy)
        verified = _proven(asked, binding, standing.policy, now_ms)
        nonces = nonces.burn(nonce, now_ms)
        # 4. Keys that this release holds.
        for operation in asked.ask.operations:
            _check_held(operation.context, asked.ask.signer, standing)
        # 5. The workload that the machine runs, as somebody else says who knows.
        workload, work = _open_box(asked.ask, binding, standing, now_ms)
    except _Refusal as refusal:
        return nonces, refuse(request, standing, refusal.reason, now_ms, refusal.code)
    except NonceRefused as refusal:
        return nonces, refuse(request, standing, refusal.reason, now_ms)
    return nonces, Allowed(
        request=request,
        ask=asked.ask,
        binding=binding,
        attested_key=attested_key,
        verified=verified,
        workload=workload,
        work=work,
        standing=standing,
    )


def grant(allowed: Allowed, results: Sequence[bytes | bytearray], at_ms: int) -> ReleaseGranted:
    """Return the answer, unsigned, with the KMS's results sealed for the attested key alone.

    The caller wipes the results. Raise ``ValueError`` for another number of them.
    """
    if len(results) != len(allowed.work):
        raise ValueError("every operation has one result")
    ask, binding, verified = allowed.ask, allowed.binding, allowed.verified
    asked = ask.digest()
    info = answer_box_info(allowed.request, asked, ask.provider, binding.nonce)
    with wiping(join_frames(results)) as content:
        box = seal(allowed.attested_key, content, info)
    return ReleaseGranted(
        **_about(allowed.request, allowed.standing, at_ms),
        signer=ask.signer,
        boot=ask.boot,
        nonce=f"0x{binding.nonce.hex()}",
        asked=asked,
        operations=tuple(operation.type for operation in ask.operations),
        contexts=tuple(context_digest(operation.context) for operation in ask.operations),
        ephemeral_key=f"0x{binding.ephemeral_key_digest.hex()}",
        configuration=f"0x{binding.configuration.hex()}",
        report=verified.report.digest,
        simulated=verified.simulated,
        workload=allowed.workload.subject,
        sealed=base64.b64encode(box).decode(),
    )


def refuse(
    request: str,
    standing: Standing,
    reason: ReleaseReason,
    at_ms: int,
    code: str | None = None,
) -> ReleaseRefused:
    """Return the answer to the request of this digest, unsigned: nothing, and why."""
    return ReleaseRefused(**_about(request, standing, at_ms), reason=reason, code=code)


def _about(request: str, standing: Standing, at_ms: int) -> dict[str, Any]:
    return {
        "id": decision_id(request, at_ms),
        "org": standing.policy.org,
        "provider": standing.provider,
        "release": standing.holder.release,
        "request": request,
        "policy": standing.policy.digest(),
        "at_ms": at_ms,
    }


def _read(raw: bytes, standing: Standing, now_ms: int) -> tuple[ReleaseRequest, bytes]:
    if len(raw) > REQUEST_BYTES_MAX:
        raise _Refusal(ReleaseReason.MALFORMED)
    try:
        request = ReleaseRequest.decode(raw)
    except Malformed:
        raise _Refusal(ReleaseReason.MALFORMED) from None
    if request.ask.org != standing.policy.org:
        raise _Refusal(ReleaseReason.ORG_WRONG)
    if request.ask.provider != standing.provider:
        raise _Refusal(ReleaseReason.PROVIDER_WRONG)
    if not standing.policy.in_force(now_ms):
        raise _Refusal(ReleaseReason.POLICY_NOT_IN_FORCE)
    if request.evidence.nonce is None:
        raise _Refusal(ReleaseReason.ASK_UNBOUND)
    return request, bytes.fromhex(request.evidence.nonce[2:])


def _bound(request: ReleaseRequest, nonce: bytes, policy: ReleasePolicy) -> tuple[Binding, bytes]:
    """Return what REPORT_DATA must be for this ask, and the attested key."""
    claims = request.evidence.claims
    if claims is None or not hmac.compare_digest(claims.key_set, request.ask.digest()):
        raise _Refusal(ReleaseReason.ASK_UNBOUND)
    if policy.configurations != "any" and claims.configuration not in policy.configurations:
        raise _Refusal(ReleaseReason.CONFIGURATION_REFUSED)
    spki = base64.b64decode(claims.ephemeral_key)
    try:
        attested_key = public_key_of(spki)
    except ValueError:
        raise _Refusal(ReleaseReason.EPHEMERAL_KEY_UNUSABLE) from None
    binding = Binding(
        Purpose.KEY_RELEASE,
        nonce,
        hashlib.sha256(spki).digest(),
        bytes.fromhex(claims.key_set[2:]),
        bytes.fromhex(claims.configuration[2:]),
    )
    return binding, attested_key


def _proven(
    request: ReleaseRequest, binding: Binding, policy: ReleasePolicy, now_ms: int
) -> Verified:
    evidence = request.evidence.evidence()
    try:
        return verify(evidence, policy.evidence, binding.report_data(), now_ms)
    except AttestationError as error:
        raise _Refusal(ReleaseReason.EVIDENCE_REFUSED, error.code.value) from None


def _check_held(context: Context, signer: str, standing: Standing) -> None:
    """Refuse keys of another organisation, of another holder, or of a mode that has none such."""
    match context:
        case KekContext():
            held = standing.holder.vault_keys and PLANS[context.mode].has_vault_key
        case ShareContext():
            split = not PLANS[context.mode].has_vault_key
            held = split and context.holder == standing.provider
        case IdentityContext():
            # Its own, by the name that the grant will be on record with.
            held = context.service == signer and signer in (standing.holder.identities or ())
    if not held or context.org != standing.policy.org:
        raise _Refusal(ReleaseReason.CONTEXT_REFUSED)


def _open_box(
    ask: ReleaseAsk, binding: Binding, standing: Standing, now_ms: int
) -> tuple[Workload, tuple[Work, ...]]:
    ephemeral_key = f"0x{binding.ephemeral_key_digest.hex()}"
    info = ask_box_info(ask.org, ask.provider, binding.nonce, ephemeral_key, ask.operations)
    wraps = sum(isinstance(operation, Wrap) for operation in ask.operations)
    try:
        with wiping(standing.key.open(base64.b64decode(ask.box), info)) as joined:
            token, *contents = split_frames(joined, 1 + wraps)
    except CorruptError:
        raise _Refusal(ReleaseReason.BOX_UNREADABLE) from None
    try:
        with wiping(token):
            workload = check_token(
                token,
                standing.policy.workload,
                standing.holder.audience,
                standing.token_keys,
                now_ms,
            )
        return workload, _work(ask, contents)
    except Exception as error:
        wipe_all(contents)
        if isinstance(error, TokenRefused):
            raise _Refusal(ReleaseReason.TOKEN_REFUSED, error.code.value) from None
        raise


def _work(ask: ReleaseAsk, contents: list[bytearray]) -> tuple[Work, ...]:
    if not all(0 < len(content) <= PLAINTEXT_BYTES_MAX for content in contents):
        raise _Refusal(ReleaseReason.BOX_UNREADABLE)
    to_wrap = iter(contents)
    return tuple(
        ToWrap(next(to_wrap), operation.context.encode())
        if isinstance(operation, Wrap)
        else ToUnwrap(base64.b64decode(operation.blob), operation.context.encode())
        for operation in ask.operations
    )
