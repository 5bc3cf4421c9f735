"""What a process is told of its key management services: ``[kms.gcp]``, ``.aws``, ``.azure``."""

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from signer.custody.kms.calls import CallLimits
from sixgate.settings.section import Section, loopback

_DEFAULTS = CallLimits()
CALL_MS_MAX = 60_000
_Milliseconds = Annotated[int, Field(ge=1, le=CALL_MS_MAX)]
_GCP_KEY = r"^projects/[\w.:-]+/locations/[\w-]+/keyRings/[\w-]+/cryptoKeys/[\w-]+$"
_AWS_ID = r"(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})"
_AWS_KEY = rf"^(arn:aws[\w-]*:kms:[\w-]+:\d{{12}}:key/)?{_AWS_ID}$"
_AZURE_KEY = r"^https://[\w.:\[\]-]+/keys/[0-9A-Za-z-]{1,127}/[0-9a-f]{32}$"


class CloudSection(Section):
    """What every cloud's section has: how long a call may take, and how many there may be."""

    connect_ms_max: _Milliseconds = _DEFAULTS.connect_ms_max
    call_ms_max: _Milliseconds = _DEFAULTS.call_ms_max
    calls_max: Annotated[int, Field(ge=1, le=256)] = _DEFAULTS.calls_max

    def limits(self) -> CallLimits:
        """Return the bounds on calls."""
        return CallLimits(self.connect_ms_max, self.call_ms_max, self.calls_max)


class GcpSection(CloudSection):
    """A CryptoKey; without ``credentials_file`` Google's usual chain finds who asks.

    ``endpoint`` is ``HOST:PORT``; on this machine's loopback without TLS or credentials.
    """

    key: Annotated[str, Field(pattern=_GCP_KEY, max_length=400)]
    endpoint: Annotated[str, Field(pattern=r"^[\w.\[\]:-]+:\d{1,5}$")] | None = None
    credentials_file: Path | None = None

    @property
    def plain(self) -> bool:
        """Whether it is asked without TLS, which is so on loopback alone."""
        return self.endpoint is not None and loopback(self.endpoint.rpartition(":")[0])


class AwsSection(CloudSection):
    """A KMS key by ARN or id, never by alias; without ``credentials_file`` AWS's usual chain.

    ``endpoint`` is a URL; without TLS it must be on this machine's loopback. ``region`` is that of
    the ARN unless said otherwise.
    """

    key: Annotated[str, Field(pattern=_AWS_KEY, max_length=400)]
    endpoint: str | None = None
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")] | None = None
    credentials_file: Path | None = None
    ca: Path | None = None

    @model_validator(mode="after")
    def _protected(self) -> Self:
        if self.endpoint is not None:
            _require_protected(self.endpoint)
        return self

    @property
    def on_loopback(self) -> bool:
        """Whether the endpoint is on this machine, where it may be without TLS."""
        return loopback(urlsplit(self.endpoint or "").hostname or "")

    @property
    def region_name(self) -> str | None:
        """The region to ask; None leaves it to AWS's own settings."""
        return self.region or (self.key.split(":")[3] if ":" in self.key else None)


class AzureSection(CloudSection):
    """One version of a vault's key by its identifier, ``https://VAULT/keys/NAME/VERSION``.

    ``token_file`` holds a bearer token that something else keeps fresh; without it, Azure's usual
    chain finds who asks.
    """

    key: Annotated[str, Field(pattern=_AZURE_KEY, max_length=400)]
    token_file: Path | None = None
    ca: Path | None = None

    @property
    def on_loopback(self) -> bool:
        """Whether the vault is on this machine, whose challenge names no domain of Azure."""
        return loopback(urlsplit(self.key).hostname or "")


class LocalSection(Section):
    """The software KMS on a root key's file, for development alone.

    ``holders`` is a folder with one more root key's file for each provider of vaults
    (``gcp.key``, ``aws.key``, ``azure.key``), which stands in for it.
    """

    root: Path
    holders: Path | None = None


class KmsSections(Section):
    """One key at each of these."""

    gcp: GcpSection | None = None
    aws: AwsSection | None = None
    azure: AzureSection | None = None
    local: LocalSection | None = None


class HolderSections(KmsSections):
    """Who holds the keys of vaults.

    ``root`` names the one whose key wraps the keys of vaults. gcp, aws and azure are also the
    providers that hold shares. ``former`` has keys whose place these took: what is under them
    opens still.
    """

    root: Literal["gcp", "aws", "azure", "local"] | None = None
    former: KmsSections = KmsSections()

    @property
    def has_software(self) -> bool:
        """Whether one of them is the software KMS."""
        return (self.local or self.former.local) is not None

    @model_validator(mode="after")
    def _rooted(self) -> Self:
        if self.root is not None and getattr(self, self.root) is None:
            raise ValueError(f"root names {self.root}: add its section beside root")
        return self


class KmsSettings(HolderSections):
    """Which KMSs there are. ``insecure_dev`` lets in those that no HSM guards.

    ``secrets`` has other keys for vaults of secrets; the rest then holds signing keys alone.
    """

    secrets: HolderSections | None = None
    insecure_dev: bool = False

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        software = self.has_software or (self.secrets is not None and self.secrets.has_software)
        if software and not self.insecure_dev:
            raise ValueError(
                "local is the software KMS, whose root key is a file: take [kms.local] out, or set "
                "insecure_dev = true"
            )
        return self


def _require_protected(endpoint: str) -> None:
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an endpoint is http://HOST:PORT or https://HOST:PORT")
    if parts.scheme == "http" and not loopback(parts.hostname):
        raise ValueError("an endpoint on another machine needs TLS: make it https")
