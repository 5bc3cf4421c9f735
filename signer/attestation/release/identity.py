"""Who a release is, and what it goes by at a time."""

from dataclasses import dataclass, field

from signer.attestation.release.policy import ReleaseHolder, ReleasePolicy
from signer.attestation.release.token_keys import TokenKey
from signer.custody.hpke import HpkeKey


@dataclass(frozen=True, slots=True)
class ReleaseIdentity:
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
