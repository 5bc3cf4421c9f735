"""Opens the ``Attestor`` of a signer process on the platform that its settings name."""

import fcntl
import secrets
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from importlib.metadata import entry_points, version
from pathlib import Path

from schemas.keys.boot import KeySet, SignerConfiguration
from signer.attestation.attestor import AttestedIdentity, Attestor, BoundClaims, EvidenceSource
from signer.attestation.device.configfs import ConfigfsPlatform
from signer.attestation.device.platform import Platform, PlatformUnavailableError
from signer.attestation.device.sev_guest import open_device
from signer.attestation.device.supplied_certificates import (
    SuppliedFiles,
    complete_evidence,
    read_supplied,
)
from signer.attestation.verify.binding import Binding
from signer.attestation.verify.evidence import Evidence
from sixgate.clocks import wall_ms
from sixgate.config.attestation import AttestationSettings, PlatformKind
from sixgate.data_folder.signer_files import Trust

PLATFORMS = "sixgate.attestation_platforms"  # entry points


def open_attestor(
    settings: AttestationSettings,
    identity: AttestedIdentity,
    trust: Trust,
    configuration: SignerConfiguration,
    opened: ExitStack,
) -> Attestor:
    """Open the attestor of a starting process; ``opened`` closes its device.

    Raises ``CollectionError`` if the platform is missing.
    """
    key_set = KeySet(org=trust.org, signer=identity.keyid, trust_root=trust.trust_root)
    bound = BoundClaims(trust.org, key_set.key_set_id(), configuration.configuration_digest())
    source = _source(settings, opened)
    return Attestor(identity, source, bound, wall_ms, secrets.token_bytes)


def configuration(
    settings: AttestationSettings,
    trust: Trust,
    slots: Sequence[int],
    *,
    ledger_required: bool,
    head_required: bool,
) -> SignerConfiguration:
    """Return the configuration that a signer binds in its evidence."""
    return SignerConfiguration(
        software=version("sixgate"),
        platform=settings.platform.value,
        trust_root=trust.trust_root,
        partitions=trust.partitions,
        partitions_per_slot=trust.partitions_per_slot,
        slots=tuple(slots),
        ledger_required=ledger_required,
        head_required=head_required,
    )


def _source(settings: AttestationSettings, opened: ExitStack) -> EvidenceSource:
    if settings.platform is PlatformKind.SIMULATED:
        return simulated_source()
    return machine_source(_machine(settings.platform, opened), settings.certificates)


def machine_source(machine: Platform, folder: Path | None) -> EvidenceSource:
    """Return a source of evidence of a machine, with certificates from ``folder`` if it is given.

    Raises ``PlatformUnavailableError`` for a missing folder or an unusable file.
    """
    _supplied(folder)
    return EvidenceSource(partial(_collected, machine, folder), simulated=False)


def simulated_source() -> EvidenceSource:
    """Return a source of evidence of the simulated platform, which the measured image lacks.

    It is a plug-in and has no import here. Raises ``PlatformUnavailableError`` without it.
    """
    found = entry_points(group=PLATFORMS, name=PlatformKind.SIMULATED.value)
    try:
        make = next(iter(found)).load()
    except (StopIteration, ImportError):
        raise PlatformUnavailableError(
            "this installation has no simulated platform: name sev-guest or configfs in "
            "[attestation]"
        ) from None
    return EvidenceSource(make(wall_ms, secrets.token_bytes), simulated=True)


def _machine(kind: PlatformKind, opened: ExitStack) -> Platform:
    if kind is PlatformKind.CONFIGFS:
        # A random name: all containers of a machine share one configfs, their process ids may be
        # equal, and a killed process leaves its folder behind.
        return ConfigfsPlatform(f"sixgate-{secrets.token_hex(8)}")
    return opened.enter_context(open_device(fcntl.ioctl, time.sleep))


def _collected(platform: Platform, folder: Path | None, binding: Binding) -> Evidence:
    return complete_evidence(platform.collect(binding), _supplied(folder))


def _supplied(folder: Path | None) -> SuppliedFiles:
    """Read the files for each report: a revocation list expires long before the signer ends."""
    return SuppliedFiles() if folder is None else read_supplied(folder)
