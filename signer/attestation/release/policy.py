"""What a release demands before it uses a KMS: one value that an admin signs, newer ones only.

The signer reads the same policy: it says whose answers to believe and what to seal for whom.
"""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from schemas.canonical import Canonical, MalformedError, digest
from schemas.dsse import RELEASE_POLICY_TYPE, Envelope
from schemas.fields import Digest, Ed25519PublicKey, Name, Ordinal, TimeMs, X25519PublicKey
from signer.attestation.binding import Purpose
from signer.attestation.policy import VerificationPolicy
from signer.attestation.release.workload_token import TokenText, WorkloadTerms
from signer.custody.context import SERVER
from signer.custody.hpke import seal_for
from signer.signatures import InvalidSignatureError, open_envelope_of_any

RELEASE_POLICY_TAG = "sixgate/release-policy/v1"
SOFTWARE_KMS = "local:"


class ReleaseHolder(Canonical):
    """The release of one provider: whose root key it uses, and by which keys it is known.

    ``sealing_key`` is what one seals for, ``signing_key`` what its answers carry, ``audience`` what
    a token that is shown to it must be for. ``vault_keys``: its root also wraps the keys of vaults
    without shares, so that it sees what opens those. ``identities`` names the services whose own
    identity it opens, which it sees as well.
    """

    provider: Name
    release: Name
    kms_key: Annotated[str, Field(min_length=1, max_length=256)]
    sealing_key: X25519PublicKey
    signing_key: Ed25519PublicKey
    audience: TokenText
    vault_keys: bool = False
    # None and not an empty tuple, so that policies from before there was this read as they did.
    identities: Annotated[tuple[Name, ...], Field(min_length=1, max_length=16)] | None = None

    @field_validator("sealing_key")
    @classmethod
    def _can_be_sealed_for(cls, key: str) -> str:
        seal_for(key, b"", b"")
        return key


class ReleasePolicy(Canonical):
    """What evidence, configuration and workload must be, and who releases; it has an end."""

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
            raise ValueError("evidence must be for key-release")
        if self.valid_from_ms >= self.valid_until_ms:
            raise ValueError("it ends before it begins")
        if any(holder.provider == SERVER for holder in self.holders):
            raise ValueError(f"no provider is named {SERVER}")
        # A release that served two providers could put a data key together; so could one that
        # shows the token it was given to another release, with a machine of its own.
        for name in ("provider", "release", "kms_key", "sealing_key", "signing_key", "audience"):
            counts = Counter(getattr(holder, name) for holder in self.holders)
            if counts.total() != len(counts):
                raise ValueError(f"two holders have one {name}")
        return self

    def holder(self, provider: str) -> ReleaseHolder | None:
        """Return the release of a provider; None if there is none."""
        return next((one for one in self.holders if one.provider == provider), None)

    def in_force(self, now_ms: int) -> bool:
        """Tell whether it counts at a time."""
        return self.valid_from_ms <= now_ms < self.valid_until_ms

    def digest(self) -> str:
        """Return what names the policy in events (0x hex)."""
        return digest(RELEASE_POLICY_TAG, self.encode())


class PolicyCode(StrEnum):
    """Why a policy is not taken; a code never changes its meaning."""

    UNSIGNED = "policy_unsigned"
    MALFORMED = "policy_malformed"
    OTHER_ORG = "policy_other_org"
    ROLLED_BACK = "policy_rolled_back"
    FORKED = "policy_forked"
    NOT_IN_FORCE = "policy_not_in_force"
    SIMULATED_PLATFORM = "policy_simulated_platform"
    SOFTWARE_KMS = "policy_software_kms"


class ReleasePolicyRefusedError(Exception):
    """A policy that is not taken; the one before stays in force until it ends."""

    def __init__(self, code: PolicyCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class PolicyMark:
    """The newest policy that was taken, remembered so that no older one comes back."""

    sequence: int
    digest: str


@dataclass(frozen=True, slots=True)
class PolicyTrust:
    """Whose policies count; ``insecure_dev`` lets in simulated platforms and software KMSs."""

    org: str
    admin_keys: tuple[str, ...]
    insecure_dev: bool = False


def accept_policy(
    envelope: Envelope, trust: PolicyTrust, newest: PolicyMark | None, now_ms: int
) -> tuple[ReleasePolicy, PolicyMark]:
    """Return a policy that an admin signed, and what to remember of it.

    The newest one may be read again. Raise ``ReleasePolicyRefusedError`` for any older one, another
    one of the same number, one that is not in force, and what production does not allow.
    """
    policy = _proven(envelope, trust)
    mark = PolicyMark(policy.sequence, policy.digest())
    _check_newer(mark, newest)
    if not policy.in_force(now_ms):
        told = "the release policy is not in force now: have an admin sign one that is"
        raise ReleasePolicyRefusedError(PolicyCode.NOT_IN_FORCE, told)
    if not trust.insecure_dev:
        refuse_development(policy)
    return policy, mark


def refuse_development(policy: ReleasePolicy) -> None:
    """Raise ``ReleasePolicyRefusedError`` for a simulated platform or a software KMS."""
    if policy.evidence.simulated_root is not None:
        raise ReleasePolicyRefusedError(
            PolicyCode.SIMULATED_PLATFORM,
            "the release policy believes a simulated platform, which proves nothing: take "
            "simulated_root out of it, or set insecure_dev = true",
        )
    for holder in policy.holders:
        if holder.kms_key.startswith(SOFTWARE_KMS):
            raise ReleasePolicyRefusedError(
                PolicyCode.SOFTWARE_KMS,
                f"the release policy names a software KMS for {holder.provider}, whose root key is "
                "a file: name a cloud's key, or set insecure_dev = true",
            )


def _proven(envelope: Envelope, trust: PolicyTrust) -> ReleasePolicy:
    try:
        body = open_envelope_of_any(envelope, RELEASE_POLICY_TYPE, trust.admin_keys)
        policy = ReleasePolicy.decode(body)
    except InvalidSignatureError:
        told = "no admin of the organisation signed the release policy: have one sign it"
        raise ReleasePolicyRefusedError(PolicyCode.UNSIGNED, told) from None
    except MalformedError as error:
        told = f"the release policy is malformed ({error})"
        raise ReleasePolicyRefusedError(PolicyCode.MALFORMED, told) from None
    if policy.org != trust.org:
        told = f"the release policy is {policy.org}'s, this is {trust.org}"
        raise ReleasePolicyRefusedError(PolicyCode.OTHER_ORG, told)
    return policy


def _check_newer(mark: PolicyMark, newest: PolicyMark | None) -> None:
    if newest is None or mark == newest or mark.sequence > newest.sequence:
        return
    if mark.sequence == newest.sequence:
        told = f"there is another release policy {mark.sequence}: sign one with the next number"
        raise ReleasePolicyRefusedError(PolicyCode.FORKED, told)
    told = f"release policy {mark.sequence} is older than {newest.sequence}, which was in force"
    raise ReleasePolicyRefusedError(PolicyCode.ROLLED_BACK, told)
