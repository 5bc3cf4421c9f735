"""Whether a release uses its KMS for somebody: decided from what came, and from nothing else.

A request is proven in a fixed order. The token is opened only after the evidence holds, so that
nobody tries tokens here without a genuine machine.
"""

import base64
import hashlib
import hmac

from schemas.canonical import MalformedError
from schemas.release import (
    Context,
    IdentityContext,
    KekContext,
    ReleaseAsk,
    ReleaseReason,
    ReleaseRefused,
    ShareContext,
    Wrap,
    request_digest,
)
from signer.attestation.binding import Binding, Purpose
from signer.attestation.errors import AttestationError
from signer.attestation.release.answers import refuse
from signer.attestation.release.identity import ReleaseIdentity
from signer.attestation.release.nonces import NonceRefusedError, Nonces
from signer.attestation.release.operations import Allowed, ToUnwrap, ToWrap, Work
from signer.attestation.release.policy import ReleasePolicy
from signer.attestation.release.request import (
    REQUEST_BYTES_MAX,
    ReleaseRequest,
    ask_box_info,
    split_frames,
    wipe_all,
)
from signer.attestation.release.workload_token import TokenError, Workload, check_token
from signer.attestation.verify import Verified, verify
from signer.custody.buffers import wiping
from signer.custody.errors import CorruptError
from signer.custody.hpke import public_key_of
from signer.custody.kms.port import PLAINTEXT_BYTES_MAX
from signer.custody.modes import PLANS


class _Refusal(Exception):  # noqa: N818 - ends the checks, seen by nobody
    def __init__(self, reason: ReleaseReason, code: str | None = None) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.code = code


def judge(
    raw: bytes, standing: ReleaseIdentity, nonces: Nonces, now_ms: int
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
    except NonceRefusedError as refusal:
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


def _read(raw: bytes, standing: ReleaseIdentity, now_ms: int) -> tuple[ReleaseRequest, bytes]:
    if len(raw) > REQUEST_BYTES_MAX:
        raise _Refusal(ReleaseReason.MALFORMED)
    try:
        request = ReleaseRequest.decode(raw)
    except MalformedError:
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


def _check_held(context: Context, signer: str, standing: ReleaseIdentity) -> None:
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
    ask: ReleaseAsk, binding: Binding, standing: ReleaseIdentity, now_ms: int
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
        if isinstance(error, TokenError):
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
