"""Decision of a release on a request: a pure function, checks in a fixed order.

1. Form, organisation and provider; the policy is in force.
2. The nonce is this release's, at most 60 s old and unused.
3. The report binds nonce, attested key, ask and configuration, and passes the nine steps
   (``signer.attestation.verify.verify``). This uses up the nonce, whether or not the rest passes.
4. The release holds the keys that the operations name.
5. The token names an accepted workload. It is opened last, so that stolen tokens cannot be
   tested without an accepted machine.
"""

import base64
import hashlib
import hmac

from schemas.canonical import MalformedError
from schemas.keys.release import (
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
from signer.attestation.release.judge.answers import refuse
from signer.attestation.release.judge.identity import ReleaseIdentity
from signer.attestation.release.judge.nonces import ReleaseNonces, RequestRefusedError
from signer.attestation.release.judge.operations import (
    AllowedRequest,
    KmsOperation,
    KmsUnwrap,
    KmsWrap,
)
from signer.attestation.release.judge.workload_token import TokenError, Workload, check_token
from signer.attestation.release.policy import ReleasePolicy
from signer.attestation.release.request import (
    REQUEST_BYTES_MAX,
    ReleaseRequest,
    ask_box_info,
    split_frames,
    wipe_all,
)
from signer.attestation.verify.binding import Binding, Purpose
from signer.attestation.verify.errors import EvidenceError
from signer.attestation.verify.verify import Verified, verify
from signer.custody.buffers import wiping
from signer.custody.custody_modes import PLANS
from signer.custody.errors import CorruptError
from signer.custody.hpke import public_key_of
from signer.custody.kms.port import PLAINTEXT_BYTES_MAX


def judge(
    raw: bytes, identity: ReleaseIdentity, nonces: ReleaseNonces, now_ms: int
) -> tuple[ReleaseNonces, AllowedRequest | ReleaseRefused]:
    """Decide a request: return the next state of the nonces, and the request or a refusal."""
    name = request_digest(raw)
    try:
        # 1. Cheap checks on untrusted bytes, before any cryptography.
        request, nonce = _parse(raw, identity, now_ms)
        # 2. Before the costly verification of evidence. The nonce is not used up yet: anyone who
        #    saw it could otherwise use it up with a forged report.
        nonces.check(nonce, now_ms)
        # 3. From here on the ask is genuine, and a replay of it is refused.
        binding, attested_key = _check_bound(request, nonce, identity.policy)
        verified = _verify_evidence(request, binding, identity.policy, now_ms)
        nonces = nonces.burn(nonce, now_ms)
        # 4. A mode or holder without such a key is refused before the KMS is called.
        for operation in request.ask.operations:
            _check_held(operation.context, request.ask.signer, identity)
        # 5. On a cloud the report identifies the machine only; the token identifies the workload.
        workload, calls = _open_box(request.ask, binding, identity, now_ms)
    except RequestRefusedError as error:
        return nonces, refuse(name, identity, error.reason, now_ms, error.code)
    return nonces, AllowedRequest(
        request=name,
        ask=request.ask,
        binding=binding,
        attested_key=attested_key,
        verified=verified,
        workload=workload,
        calls=calls,
        identity=identity,
    )


def _parse(raw: bytes, identity: ReleaseIdentity, now_ms: int) -> tuple[ReleaseRequest, bytes]:
    if len(raw) > REQUEST_BYTES_MAX:
        raise RequestRefusedError(ReleaseReason.MALFORMED)
    try:
        request = ReleaseRequest.decode(raw)
    except MalformedError:
        raise RequestRefusedError(ReleaseReason.MALFORMED) from None
    if request.ask.org != identity.policy.org:
        raise RequestRefusedError(ReleaseReason.ORG_WRONG)
    if request.ask.provider != identity.provider:
        raise RequestRefusedError(ReleaseReason.PROVIDER_WRONG)
    if not identity.policy.in_force(now_ms):
        raise RequestRefusedError(ReleaseReason.POLICY_NOT_IN_FORCE)
    if request.evidence.nonce is None:
        raise RequestRefusedError(ReleaseReason.ASK_UNBOUND)
    return request, bytes.fromhex(request.evidence.nonce[2:])


def _check_bound(
    request: ReleaseRequest, nonce: bytes, policy: ReleasePolicy
) -> tuple[Binding, bytes]:
    """Return the binding that the report must have for this ask, and the attested key."""
    claims = request.evidence.claims
    if claims is None or not hmac.compare_digest(claims.key_set, request.ask.digest()):
        raise RequestRefusedError(ReleaseReason.ASK_UNBOUND)
    if policy.configurations != "any" and claims.configuration not in policy.configurations:
        raise RequestRefusedError(ReleaseReason.CONFIGURATION_REFUSED)
    spki = base64.b64decode(claims.ephemeral_key)
    try:
        attested_key = public_key_of(spki)
    except ValueError:
        raise RequestRefusedError(ReleaseReason.EPHEMERAL_KEY_UNUSABLE) from None
    binding = Binding(
        Purpose.KEY_RELEASE,
        nonce,
        hashlib.sha256(spki).digest(),
        bytes.fromhex(claims.key_set[2:]),
        bytes.fromhex(claims.configuration[2:]),
    )
    return binding, attested_key


def _verify_evidence(
    request: ReleaseRequest, binding: Binding, policy: ReleasePolicy, now_ms: int
) -> Verified:
    evidence = request.evidence.evidence()
    try:
        return verify(evidence, policy.evidence, binding.report_data(), now_ms)
    except EvidenceError as error:
        raise RequestRefusedError(ReleaseReason.EVIDENCE_REFUSED, error.code.value) from None


def _check_held(context: Context, signer: str, identity: ReleaseIdentity) -> None:
    """Refuse keys of another organisation or holder, and keys that the custody mode lacks."""
    match context:
        case KekContext():
            held = identity.holder.vault_keys and PLANS[context.mode].has_vault_key
        case ShareContext():
            split = not PLANS[context.mode].has_vault_key
            held = split and context.holder == identity.provider
        case IdentityContext():
            # Only the requester's own identity, under the name that the grant records.
            held = context.service == signer and signer in (identity.holder.identities or ())
    if not held or context.org != identity.policy.org:
        raise RequestRefusedError(ReleaseReason.CONTEXT_REFUSED)


def _open_box(
    ask: ReleaseAsk, binding: Binding, identity: ReleaseIdentity, now_ms: int
) -> tuple[Workload, tuple[KmsOperation, ...]]:
    ephemeral_key = f"0x{binding.ephemeral_key_digest.hex()}"
    info = ask_box_info(ask.org, ask.provider, binding.nonce, ephemeral_key, ask.operations)
    wraps = sum(isinstance(operation, Wrap) for operation in ask.operations)
    try:
        with wiping(identity.key.open(base64.b64decode(ask.box), info)) as joined:
            token, *contents = split_frames(joined, 1 + wraps)
    except CorruptError:
        raise RequestRefusedError(ReleaseReason.BOX_UNREADABLE) from None
    try:
        with wiping(token):
            workload = check_token(
                token,
                identity.policy.workload,
                identity.holder.audience,
                identity.token_keys,
                now_ms,
            )
        return workload, _kms_calls(ask, contents)
    except Exception as error:
        wipe_all(contents)  # plaintexts of a refused request
        if isinstance(error, TokenError):
            raise RequestRefusedError(ReleaseReason.TOKEN_REFUSED, error.code.value) from None
        raise


def _kms_calls(ask: ReleaseAsk, contents: list[bytearray]) -> tuple[KmsOperation, ...]:
    if not all(0 < len(content) <= PLAINTEXT_BYTES_MAX for content in contents):
        raise RequestRefusedError(ReleaseReason.BOX_UNREADABLE)
    to_wrap = iter(contents)
    return tuple(
        KmsWrap(next(to_wrap), operation.context.encode())
        if isinstance(operation, Wrap)
        else KmsUnwrap(base64.b64decode(operation.blob), operation.context.encode())
        for operation in ask.operations
    )
