"""Unsigned answers of a release: KMS results sealed to the attested key, or a refusal."""

import base64
from collections.abc import Sequence
from typing import Any

from schemas.keys.release import (
    ReleaseGranted,
    ReleaseReason,
    ReleaseRefused,
    context_digest,
    decision_id,
)
from signer.attestation.release.judge.identity import ReleaseIdentity
from signer.attestation.release.judge.operations import AllowedRequest
from signer.attestation.release.request import answer_box_info, join_frames
from signer.custody.buffers import wiping
from signer.custody.hpke import seal


def grant(
    allowed: AllowedRequest, results: Sequence[bytes | bytearray], at_ms: int
) -> ReleaseGranted:
    """Return an unsigned grant, with the KMS results sealed to the attested key.

    The caller wipes the results. Raise ``ValueError`` unless each operation has one result.
    """
    if len(results) != len(allowed.calls):
        raise ValueError("the number of results is not that of the operations")
    ask, binding, verified = allowed.ask, allowed.binding, allowed.verified
    ask_digest = ask.digest()
    info = answer_box_info(allowed.request, ask_digest, ask.provider, binding.nonce)
    # Sealed to the key that the report binds: no other party can open the results.
    with wiping(join_frames(results)) as content:
        box = seal(allowed.attested_key, content, info)
    return ReleaseGranted(
        **_common_fields(allowed.request, allowed.identity, at_ms),
        signer=ask.signer,
        boot=ask.boot,
        nonce=f"0x{binding.nonce.hex()}",
        asked=ask_digest,
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
    identity: ReleaseIdentity,
    reason: ReleaseReason,
    at_ms: int,
    code: str | None = None,
) -> ReleaseRefused:
    """Return an unsigned refusal of the request with this digest."""
    return ReleaseRefused(**_common_fields(request, identity, at_ms), reason=reason, code=code)


def _common_fields(request: str, identity: ReleaseIdentity, at_ms: int) -> dict[str, Any]:
    return {
        "id": decision_id(request, at_ms),
        "org": identity.policy.org,
        "provider": identity.provider,
        "release": identity.holder.release,
        "request": request,
        "policy": identity.policy.digest(),
        "at_ms": at_ms,
    }
