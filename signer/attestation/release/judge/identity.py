"""Identity of a release, with the policy and token keys in force."""

from dataclasses import dataclass, field

from signer.attestation.release.judge.token_keys import TokenKey
from signer.attestation.release.policy import ReleaseHolder, ReleasePolicy
from signer.custody.hpke import HpkeKey


@dataclass(frozen=True, slots=True)
class ReleaseIdentity:
    """A release: its provider and sealing key, the policy, and the issuer's current token keys.

    Raise ``ValueError`` unless the policy names this sealing key for the provider.
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
        """The policy's entry for this release."""
        return next(one for one in self.policy.holders if one.provider == self.provider)
