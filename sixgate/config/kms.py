"""Settings of key management services: ``[kms.gcp]``, ``.aws``, ``.azure``, ``.local``."""

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from signer.custody.kms.calls import CallLimits
from sixgate.config.section import Section, loopback

_DEFAULTS = CallLimits()
CALL_MS_MAX = 60_000
_Milliseconds = Annotated[int, Field(ge=1, le=CALL_MS_MAX)]
_GCP_KEY = r"^projects/[\w.:-]+/locations/[\w-]+/keyRings/[\w-]+/cryptoKeys/[\w-]+$"
_AWS_ID = r"(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})"
_AWS_KEY = rf"^(arn:aws[\w-]*:kms:[\w-]+:\d{{12}}:key/)?{_AWS_ID}$"
_AZURE_KEY = r"^https://[\w.:\[\]-]+/keys/[0-9A-Za-z-]{1,127}/[0-9a-f]{32}$"


class CloudSection(Section):
    """Common settings of a cloud KMS: timeouts and the maximum of concurrent calls."""

    connect_ms_max: _Milliseconds = _DEFAULTS.connect_ms_max
    call_ms_max: _Milliseconds = _DEFAULTS.call_ms_max
    calls_max: Annotated[int, Field(ge=1, le=256)] = _DEFAULTS.calls_max

    def limits(self) -> CallLimits:
        """Return the limits of calls."""
        return CallLimits(self.connect_ms_max, self.call_ms_max, self.calls_max)


class GcpSection(CloudSection):
    """A CryptoKey. Without ``credentials_file`` Google's default credentials are used.

    ``endpoint`` is ``HOST:PORT``; on loopback it is called without TLS or credentials.
    """

    key: Annotated[str, Field(pattern=_GCP_KEY, max_length=400)]
    endpoint: Annotated[str, Field(pattern=r"^[\w.\[\]:-]+:\d{1,5}$")] | None = None
    credentials_file: Path | None = None

    @property
    def plain(self) -> bool:
        """Whether calls use no TLS; only on loopback."""
        return self.endpoint is not None and loopback(self.endpoint.rpartition(":")[0])


class AwsSection(CloudSection):
    """A KMS key by ARN or id, never by alias.

    Without ``credentials_file`` AWS's default credentials are used. ``endpoint`` is a URL; without
    TLS it must be on loopback. ``region`` defaults to that of the ARN.
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
        """Whether the endpoint is on loopback, where TLS is optional."""
        return loopback(urlsplit(self.endpoint or "").hostname or "")

    @property
    def region_name(self) -> str | None:
        """The region of calls; None leaves it to AWS's own settings."""
        return self.region or (self.key.split(":")[3] if ":" in self.key else None)


class AzureSection(CloudSection):
    """One version of a Key Vault key, ``https://VAULT/keys/NAME/VERSION``.

    ``token_file`` holds a bearer token that another program renews; without it Azure's default
    credentials are used.
    """

    key: Annotated[str, Field(pattern=_AZURE_KEY, max_length=400)]
    token_file: Path | None = None
    ca: Path | None = None

    @property
    def on_loopback(self) -> bool:
        """Whether the vault is on loopback, where its challenge names no Azure domain."""
        return loopback(urlsplit(self.key).hostname or "")


class LocalSection(Section):
    """The software KMS with its root key in a file, for development only.

    ``holders`` is a folder with one more root key file per provider (``gcp.key``, ``aws.key``,
    ``azure.key``), each a stand-in for that provider.
    """

    root: Path
    holders: Path | None = None


class KmsSections(Section):
    """At most one key per KMS."""

    gcp: GcpSection | None = None
    aws: AwsSection | None = None
    azure: AzureSection | None = None
    local: LocalSection | None = None


class HolderSections(KmsSections):
    """Holders of the keys of vaults.

    ``root`` names the KMS that wraps vault keys. gcp, aws and azure are also the providers that
    hold shares. ``former`` lists replaced root keys, which only unwrap.
    """

    root: Literal["gcp", "aws", "azure", "local"] | None = None
    former: KmsSections = KmsSections()

    @property
    def has_software(self) -> bool:
        """Whether one of them, current or former, is the software KMS."""
        return (self.local or self.former.local) is not None

    @model_validator(mode="after")
    def _rooted(self) -> Self:
        if self.root is not None and getattr(self, self.root) is None:
            raise ValueError(f"root is {self.root}: add its section beside root")
        return self


class KmsSettings(HolderSections):
    """All KMSs. ``insecure_dev`` accepts keys that are not protected by an HSM.

    ``secrets`` has separate keys for vaults of secrets; the others then hold only signing keys.
    """

    secrets: HolderSections | None = None
    insecure_dev: bool = False

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        software = self.has_software or (self.secrets is not None and self.secrets.has_software)
        if software and not self.insecure_dev:
            raise ValueError(
                "local is the software KMS, whose root key is a file: remove [kms.local], or set "
                "insecure_dev = true"
            )
        return self


def _require_protected(endpoint: str) -> None:
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("endpoint must be http://HOST:PORT or https://HOST:PORT")
    if parts.scheme == "http" and not loopback(parts.hostname):
        raise ValueError("an endpoint on another machine needs TLS: make it https")
