"""What a release is told, ``[release]``, and a signer of those it goes through, ``[releases]``."""

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from schemas.fields import Ed25519PublicKey, Name
from signer.attestation.release.policy import PolicyTrust
from signer.attestation.release.workload_token import TokenText
from sixgate.settings.section import Section, loopback
from sixgate.settings.sections import TlsFiles

CALL_MS_MAX = 60_000
ProviderName = Literal["gcp", "aws", "azure"]


class PolicySection(Section):
    """Where the release policy is, and which admins may sign it.

    ``insecure_dev`` lets in a policy that believes a simulated platform or names a software KMS.
    """

    org: Name
    policy: Path
    admins: Annotated[tuple[Ed25519PublicKey, ...], Field(min_length=1, max_length=16)]
    insecure_dev: bool = False

    def trust(self) -> PolicyTrust:
        """Return whose policies count."""
        return PolicyTrust(self.org, self.admins, self.insecure_dev)


class ReleaseSettings(PolicySection):
    """Whose release this is, who may ask it, and where it listens.

    ``provider`` is what the policy calls its holder, ``audience`` what the policy must say a token
    is for, ``token_keys`` the issuer's keys (JWKS), ``clients`` the common names of certificates
    that may ask. Beyond this machine it listens with mutual TLS alone.
    """

    provider: Name
    audience: TokenText
    token_keys: Path
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535)] = 9440
    tls: TlsFiles | None = None
    clients: Annotated[tuple[Name, ...], Field(min_length=1, max_length=64)] = ("signer",)

    @model_validator(mode="after")
    def _protected(self) -> Self:
        if self.tls is None and not loopback(self.host):
            raise ValueError("a release that other machines reach needs mutual TLS: add tls")
        return self


class ReleaseAddress(Section):
    """Where one provider's release is, as whom to ask it, and the file of the token to show it.

    The file is read again for each request, as something else keeps the token fresh.
    """

    url: str
    token: Path
    tls: TlsFiles | None = None
    call_ms_max: Annotated[int, Field(ge=1, le=CALL_MS_MAX)] = 5_000

    @model_validator(mode="after")
    def _protected(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
            raise ValueError("a release's url is https://HOST:PORT, or http://HOST:PORT")
        if (parts.scheme == "https") != (self.tls is not None):
            raise ValueError("a release's url is https where tls is given, and only there")
        if parts.scheme == "http" and not loopback(parts.hostname):
            raise ValueError(
                "a release on another machine needs mutual TLS: make it https, add tls"
            )
        return self


class ReleasesSettings(PolicySection):
    """The releases that a signer goes through, by the provider's name in the policy and in vaults.

    ``root`` names the one that holds the keys of vaults without shares; without it there are none.
    """

    at: Annotated[dict[ProviderName, ReleaseAddress], Field(min_length=1)]
    root: ProviderName | None = None

    @model_validator(mode="after")
    def _rooted(self) -> Self:
        if self.root is not None and self.root not in self.at:
            raise ValueError(f"root names {self.root}: add a section [releases.at.{self.root}]")
        return self
