"""Opens the ``Attestor`` of a signer process on the platform that its settings name."""

import fcntl
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path

from schemas.keys.boot import KeySet, SignerConfiguration
from signer.attestation.attestor import AttestedIdentity, Attestor, BoundClaims, EvidenceSource
from signer.attestation.binding import Binding
from signer.attestation.configfs import ConfigfsPlatform
from signer.attestation.device import open_device
from signer.attestation.evidence import Evidence
from signer.attestation.generations import CHIP_ID_BYTES
from signer.attestation.platform import Platform
from signer.attestation.public_root import GENERATION, public_authority
from signer.attestation.report import SigningKey
from signer.attestation.simulated import SimulatedChip, SimulatedPlatform
from signer.attestation.supplied_certificates import SuppliedFiles, complete_evidence, read_supplied
from sixgate.clocks import wall_ms
from sixgate.config.attestation import AttestationSettings, PlatformKind
from sixgate.data_folder.folder import Trust

# Simulated certificates and lists start in the past, because a verifier's clock may be behind.
SIMULATED_BEFORE = timedelta(days=1)


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
        return EvidenceSource(_simulated(), simulated=True)
    return machine_source(_machine(settings.platform, opened), settings.certificates)


def machine_source(machine: Platform, folder: Path | None) -> EvidenceSource:
    """Return a source of evidence of a machine, with certificates from ``folder`` if it is given.

    Raises ``PlatformUnavailableError`` for a missing folder or an unusable file.
    """
    _supplied(folder)
    return EvidenceSource(partial(_collected, machine, folder), simulated=False)


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


def _simulated() -> Callable[[Binding], Evidence]:
    """Return evidence of a new chip under the public root, for which anyone can make chips."""
    authority = public_authority()
    chip = SimulatedChip.generate(GENERATION, secrets.token_bytes(CHIP_ID_BYTES))
    at = _now() - SIMULATED_BEFORE
    platform = SimulatedPlatform(authority, chip, SigningKey.VCEK, at)

    def evidence(binding: Binding) -> Evidence:
        crl = authority.revocation_list(_now() - SIMULATED_BEFORE)
        return complete_evidence(platform.collect(binding), SuppliedFiles(crl=crl))

    return evidence


def _now() -> datetime:
    return datetime.fromtimestamp(wall_ms() / 1000, UTC)
