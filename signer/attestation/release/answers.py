"""A release's answers, unsigned: what the KMS did, for the attested key alone, or why nothing."""

import base64
from collections.abc import Sequence
from typing import Any

from schemas.release import (
    ReleaseGranted,
    ReleaseReason,
    ReleaseRefused,
    context_digest,
    decision_id,
)
from signer.attestation.release.identity import ReleaseIdentity
from signer.attestation.release.operations import Allowed
from signer.attestation.release.request import answer_box_info, join_frames
from signer.custody.buffers import wiping
from signer.custody.hpke import seal


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
    standing: ReleaseIdentity,
    reason: ReleaseReason,
    at_ms: int,
    code: str | None = None,
) -> ReleaseRefused:
    """Return the answer to the request of this digest, unsigned: nothing, and why."""
    return ReleaseRefused(**_about(request, standing, at_ms), reason=reason, code=code)


def _about(request: str, standing: ReleaseIdentity, at_ms: int) -> dict[str, Any]:
    return {
        "id": decision_id(request, at_ms),
        "org": standing.policy.org,
        "provider": standing.provider,
        "release": standing.holder.release,
        "request": request,
        "policy": standing.policy.digest(),
        "at_ms": at_ms,
    }
