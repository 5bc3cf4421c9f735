"""Settings of a process's attestation: ``[attestation]``."""

from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import model_validator

from sixgate.config.section import Section


class PlatformKind(StrEnum):
    """Source of reports."""

    SEV_GUEST = "sev-guest"  # the kernel's device
    CONFIGFS = "configfs"  # the kernel's configfs-tsm
    SIMULATED = "simulated"


class AttestationSettings(Section):
    """The platform by which a signer attests itself; ``insecure_dev`` accepts the simulated one.

    ``certificates`` is a folder with the files that the host does not supply: ``leaf.der``,
    ``cert_chain``, ``crl.der``.
    """

    platform: PlatformKind
    insecure_dev: bool = False
    certificates: Path | None = None

    @model_validator(mode="after")
    def _genuine(self) -> Self:
        if self.platform is PlatformKind.SIMULATED and not self.insecure_dev:
            raise ValueError(
                "the reports of the simulated platform prove nothing: name sev-guest or configfs, "
                "or set insecure_dev = true"
            )
        return self
