"""What a process is told of its own attestation: ``[attestation]``."""

from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import model_validator
from pydantic_settings import BaseSettings

from sixgate.settings.loading import FROM_ENVIRONMENT
from sixgate.settings.section import Section


class PlatformKind(StrEnum):
    """Who makes the reports."""

    SEV_GUEST = "sev-guest"  # the kernel's device
    CONFIGFS = "configfs"  # the kernel's configfs-tsm
    SIMULATED = "simulated"


class AttestationSettings(Section):
    """By which platform a signer attests itself. ``insecure_dev`` lets in the simulated one.

    ``certificates`` is a folder with what the host does not hand over: ``leaf.der``,
    ``cert_chain``, ``crl.der``.
    """

    platform: PlatformKind
    insecure_dev: bool = False
    certificates: Path | None = None

    @model_validator(mode="after")
    def _genuine(self) -> Self:
        if self.platform is PlatformKind.SIMULATED and not self.insecure_dev:
            raise ValueError(
                "platform is the simulated one, whose reports prove nothing: name sev-guest or "
                "configfs, or set insecure_dev = true"
            )
        return self


class OwnSettings(BaseSettings):
    """What a folder's own pipeline is told, by the environment alone."""

    model_config = FROM_ENVIRONMENT

    attestation: AttestationSettings = AttestationSettings(
        platform=PlatformKind.SIMULATED, insecure_dev=True
    )
