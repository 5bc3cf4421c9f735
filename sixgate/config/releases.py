"""Settings of a signer that uses releases (``[releases]``)."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from schemas.fields import Ed25519PublicKey, Name
from signer.attestation.release.policy import PolicyTrust
from sixgate.config.links import CallMs, ServerAddress
from sixgate.config.section import Section

ProviderName = Literal["gcp", "aws", "azure"]


class PolicySection(Section):
    """The file of the release policy, and the admins who may sign it.

    ``insecure_dev`` accepts a policy with a simulated platform or a software KMS.
    """

    org: Name
    policy: Path
    admins: Annotated[tuple[Ed25519PublicKey, ...], Field(min_length=1, max_length=16)]
    insecure_dev: bool = False

    def trust(self) -> PolicyTrust:
        """Return which policies to accept."""
        return PolicyTrust(self.org, self.admins, self.insecure_dev)


class ReleaseAddress(ServerAddress):
    """URL, client certificate and token file for one provider's release.

    The token file is reloaded for each request, because another program renews it.
    """

    what: ClassVar[str] = "a release"

    token: Path
    call_ms_max: CallMs = 5_000


class ReleasesSettings(PolicySection):
    """The releases of a signer, by the provider's name in the policy and in vaults.

    ``root`` names the one that holds the keys of vaults without shares; without it such vaults
    cannot be used.
    """

    at: Annotated[dict[ProviderName, ReleaseAddress], Field(min_length=1)]
    root: ProviderName | None = None

    @model_validator(mode="after")
    def _rooted(self) -> Self:
        if self.root is not None and self.root not in self.at:
            raise ValueError(f"root names {self.root}: add a section [releases.at.{self.root}]")
        return self
