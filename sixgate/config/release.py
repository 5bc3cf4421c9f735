"""Settings of a provider's release (``[release]``)."""

from pathlib import Path
from typing import Self

from pydantic import model_validator

from schemas.fields import Name
from signer.attestation.release.policy import TokenText
from sixgate.config.links import Clients, Port
from sixgate.config.releases import PolicySection
from sixgate.config.section import loopback
from sixgate.config.sections import TlsFiles


class ReleaseSettings(PolicySection):
    """Provider, clients and listen address of a release.

    ``provider`` is the name of its holder in the policy, ``audience`` the required audience of
    tokens, ``token_keys`` the issuer's keys (JWKS), ``clients`` the accepted common names of client
    certificates. Beyond loopback it requires mutual TLS.
    """

    provider: Name
    audience: TokenText
    token_keys: Path
    host: str = "127.0.0.1"
    port: Port = 9440
    tls: TlsFiles | None = None
    clients: Clients = ("signer",)

    @model_validator(mode="after")
    def _protected(self) -> Self:
        if self.tls is None and not loopback(self.host):
            raise ValueError("a release that other machines can reach needs mutual TLS: add tls")
        return self
