"""Release policy: requirements of a release on a signer, signed by an admin, rollback-protected.

The signer uses the same policy: it names the signing and sealing key of each release.

``accept_policy`` accepts a policy in this order:
1. An admin of the organisation signed it.
2. It is not older than the newest accepted one, and not another with the same number.
3. It is in force.
4. It accepts neither a simulated platform nor a software KMS, unless ``insecure_dev``.
"""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from schemas.canonical import Canonical, MalformedError, digest
from schemas.dsse import RELEASE_POLICY_TYPE, Envelope
from schemas.fields import Digest, Ed25519PublicKey, Name, Ordinal, TimeMs, X25519PublicKey
from schemas.keys.release import SUBJECT_MAX
from schemas.registry.custody import SERVER
from signer.attestation.verify.binding import Purpose
from signer.attestation.verify.errors import AttestationError
from signer.attestation.verify.policy import VerificationPolicy
from signer.core.errors import InvalidSignatureError
from signer.core.signatures import open_envelope_of_any
from signer.custody.hpke import seal_for
from signer.custody.kms.port import SOFTWARE_KMS

RELEASE_POLICY_TAG = "sixgate/release-policy/v1"
TOKEN_BYTES_MAX = 8 * 1024
SECOND_MS = 1000

TokenText = Annotated[
    str, StringConstraints(pattern=rf"^[\x21-\x7e]{{1,{SUBJECT_MAX}}}$", strict=True)
]
"""Audience, issuer or subject of a workload's token."""


class WorkloadTerms(Canonical):
    """Accepted tokens: one issuer, listed subjects, a maximum lifetime.

    ``skew_ms_max`` is how far the issuer's clock may be ahead; it extends no token.
    """

    issuer: TokenText
    subjects: Annotated[tuple[TokenText, ...], Field(min_length=1, max_length=16)]
    lifetime_ms_max: Annotated[int, Field(ge=SECOND_MS, le=24 * 60 * 60 * 1000)] = 60 * 60 * 1000
    skew_ms_max: Annotated[int, Field(ge=0, le=60_000)] = 0


class ReleaseHolder(Canonical):
    """The release of one provider: its root key, its public keys, and what it may open.

    Requests are sealed to ``sealing_key``; ``signing_key`` verifies its answers; its tokens need
    ``audience``. With ``vault_keys`` its root key also wraps the keys of vaults without shares;
    ``identities`` lists the services whose identity it opens. The release sees both in plaintext.
    """

    provider: Name
    release: Name
    kms_key: Annotated[str, Field(min_length=1, max_length=256)]
    sealing_key: X25519PublicKey
    signing_key: Ed25519PublicKey
    audience: TokenText
    vault_keys: bool = False
    # None, not an empty tuple, so that older policies keep their canonical bytes and digest.
    identities: Annotated[tuple[Name, ...], Field(min_length=1, max_length=16)] | None = None

    @field_validator("sealing_key")
    @classmethod
    def _can_be_sealed_to(cls, key: str) -> str:
        seal_for(key, b"", b"")
        return key


class ReleasePolicy(Canonical):
    """Accepted evidence, configurations and workloads; the releases; a validity period."""

    v: Literal[1] = 1
    type: Literal["release.policy"] = "release.policy"
    org: Name
    sequence: Ordinal
    valid_from_ms: TimeMs
    valid_until_ms: TimeMs
    evidence: VerificationPolicy
    configurations: (
        Annotated[tuple[Digest, ...], Field(min_length=1, max_length=256)] | Literal["any"]
    )
    workload: WorkloadTerms
    holders: Annotated[tuple[ReleaseHolder, ...], Field(min_length=1, max_length=8)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.evidence.purpose is not Purpose.KEY_RELEASE:
            raise ValueError("evidence must have the purpose key-release")
        if self.valid_from_ms >= self.valid_until_ms:
            raise ValueError("valid_until_ms must be after valid_from_ms")
        if any(holder.provider == SERVER for holder in self.holders):
            raise ValueError(f'"{SERVER}" is reserved and cannot be a provider name')
        # A release for two providers could combine the shares of a data key. So could one that
        # replays the token it received to another release, from an accepted machine.
        for name in ("provider", "release", "kms_key", "sealing_key", "signing_key", "audience"):
            counts = Counter(getattr(holder, name) for holder in self.holders)
            if counts.total() != len(counts):
                raise ValueError(f"two holders have the same {name}")
        return self

    def holder(self, provider: str) -> ReleaseHolder | None:
        """Return the release of a provider, or None."""
        return next((one for one in self.holders if one.provider == provider), None)

    def in_force(self, now_ms: int) -> bool:
        """Return whether the policy is valid at a time; the end is exclusive."""
        return self.valid_from_ms <= now_ms < self.valid_until_ms

    def digest(self) -> str:
        """Return the digest (0x hex) that identifies the policy in events."""
        return digest(RELEASE_POLICY_TAG, self.encode())


class PolicyCode(StrEnum):
    """Why a policy is refused. A code never changes its meaning."""

    UNSIGNED = "policy_unsigned"
    MALFORMED = "policy_malformed"
    OTHER_ORG = "policy_other_org"
    ROLLED_BACK = "policy_rolled_back"
    FORKED = "policy_forked"
    NOT_IN_FORCE = "policy_not_in_force"
    SIMULATED_PLATFORM = "policy_simulated_platform"
    SOFTWARE_KMS = "policy_software_kms"


class ReleasePolicyRefusedError(AttestationError):
    """The policy is refused; the previous one stays in force until it ends."""

    def __init__(self, code: PolicyCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class PolicyMark:
    """Number and digest of the newest accepted policy: prevents rollback to an older one."""

    sequence: int
    digest: str


@dataclass(frozen=True, slots=True)
class PolicyTrust:
    """Accepted policy signers; ``insecure_dev`` accepts simulated platforms and software KMSs."""

    org: str
    admin_keys: tuple[str, ...]
    insecure_dev: bool = False


def accept_policy(
    envelope: Envelope, trust: PolicyTrust, newest: PolicyMark | None, now_ms: int
) -> tuple[ReleasePolicy, PolicyMark]:
    """Verify a signed policy; return it and its mark, which the caller must store before use.

    Accepting the newest one again is idempotent. Raise ``ReleasePolicyRefusedError`` otherwise.
    """
    # 1. Signature first: no field of an unsigned policy is used.
    policy = _open_envelope(envelope, trust)
    # 2. Rollback and fork protection.
    mark = PolicyMark(policy.sequence, policy.digest())
    _check_newer(mark, newest)
    # 3. Validity bounds how long a deleted mark lets an older policy back in.
    if not policy.in_force(now_ms):
        message = "the release policy is not in force now: have an admin sign a current one"
        raise ReleasePolicyRefusedError(PolicyCode.NOT_IN_FORCE, message)
    # 4. Development settings.
    if not trust.insecure_dev:
        refuse_development(policy)
    return policy, mark


def refuse_development(policy: ReleasePolicy) -> None:
    """Raise ``ReleasePolicyRefusedError`` for a simulated platform or a software KMS."""
    if policy.evidence.simulated_root is not None:
        raise ReleasePolicyRefusedError(
            PolicyCode.SIMULATED_PLATFORM,
            "the release policy accepts a simulated platform, which proves nothing: remove "
            "simulated_root from it, or set insecure_dev = true",
        )
    for holder in policy.holders:
        if holder.kms_key.startswith(SOFTWARE_KMS):
            raise ReleasePolicyRefusedError(
                PolicyCode.SOFTWARE_KMS,
                f"the release policy names a software KMS for {holder.provider}, whose root key is "
                "a file: name a cloud KMS key, or set insecure_dev = true",
            )


def _open_envelope(envelope: Envelope, trust: PolicyTrust) -> ReleasePolicy:
    try:
        body = open_envelope_of_any(envelope, RELEASE_POLICY_TYPE, trust.admin_keys)
        policy = ReleasePolicy.decode(body)
    except InvalidSignatureError:
        message = "no admin of the organisation signed the release policy: have one sign it"
        raise ReleasePolicyRefusedError(PolicyCode.UNSIGNED, message) from None
    except MalformedError as error:
        message = f"the release policy is malformed ({error})"
        raise ReleasePolicyRefusedError(PolicyCode.MALFORMED, message) from None
    if policy.org != trust.org:
        message = f"the release policy is for the organisation {policy.org}, not for {trust.org}"
        raise ReleasePolicyRefusedError(PolicyCode.OTHER_ORG, message)
    return policy


def _check_newer(mark: PolicyMark, newest: PolicyMark | None) -> None:
    if newest is None or mark == newest or mark.sequence > newest.sequence:
        return
    if mark.sequence == newest.sequence:
        message = (
            f"another release policy {mark.sequence} was accepted before: sign one with the next "
            "number"
        )
        raise ReleasePolicyRefusedError(PolicyCode.FORKED, message)
    message = (
        f"release policy {mark.sequence} is older than {newest.sequence}, which was accepted before"
    )
    raise ReleasePolicyRefusedError(PolicyCode.ROLLED_BACK, message)
