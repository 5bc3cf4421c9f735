"""How a signer is attested: the platform that its settings name, behind an ``Attestor``."""

import fcntl
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path

from schemas.boot import KeySet, SignerConfiguration
from signer.attestation.attestor import Attestor, Bound, Source, Speaker
from signer.attestation.binding import Binding
from signer.attestation.configfs import ConfigfsPlatform
from signer.attestation.device import open_device
from signer.attestation.generations import CHIP_ID_BYTES
from signer.attestation.platform import Platform
from signer.attestation.public_root import GENERATION, public_authority
from signer.attestation.report import SigningKey
from signer.attestation.simulated import SimulatedChip, SimulatedPlatform
from signer.attestation.supplied_certificates import Supplied, complete, supplied_in
from signer.attestation.verify import Evidence
from sixgate.clocks import wall_ms
from sixgate.data_folder.folder import Trust
from sixgate.settings.attestation import AttestationSettings, PlatformKind

# A verifier's clock may be behind ours.
SIMULATED_BEFORE = timedelta(days=1)


def open_attestor(
    settings: AttestationSettings,
    identity: Speaker,
    trust: Trust,
    configuration: SignerConfiguration,
    opened: ExitStack,
) -> Attestor:
    """Return the attestor of a process that starts; ``opened`` closes what it needs.

    Raises ``CollectionError`` where the platform is not there.
    """
    key_set = KeySet(org=trust.org, signer=identity.keyid, trust_root=trust.trust_root)
    bound = Bound(trust.org, key_set.key_set_id(), configuration.configuration_digest())
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
    """Return what a signer's evidence says of how it was started."""
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


def _source(settings: AttestationSettings, opened: ExitStack) -> Source:
    if settings.platform is PlatformKind.SIMULATED:
        return Source(_simulated(), simulated=True)
    return machine_source(_machine(settings.platform, opened), settings.certificates)


def machine_source(machine: Platform, folder: Path | None) -> Source:
    """Return evidence of a machine, with what lies in a folder at that time; it may be None.

    Raises ``PlatformUnavailableError`` for a folder in which something is wrong already.
    """
    _supplied(folder)
    return Source(partial(_collected, machine, folder), simulated=False)


def _machine(kind: PlatformKind, opened: ExitStack) -> Platform:
    if kind is PlatformKind.CONFIGFS:
        # Every container's process may be number 1, and all of a machine share one configfs: what
        # one that was killed left behind must be in nobody's way.
        return ConfigfsPlatform(f"sixgate-{secrets.token_hex(8)}")
    return opened.enter_context(open_device(fcntl.ioctl, time.sleep))


def _collected(platform: Platform, folder: Path | None, binding: Binding) -> Evidence:
    return complete(platform.collect(binding), _supplied(folder))


def _supplied(folder: Path | None) -> Supplied:
    """Read what lies there now: a revocation list is over long before a signer's life is."""
    return Supplied() if folder is None else supplied_in(folder)


def _simulated() -> Callable[[Binding], Evidence]:
    """Return a new chip of the public root, that anybody can make another one like."""
    authority = public_authority()
    chip = SimulatedChip.generate(GENERATION, secrets.token_bytes(CHIP_ID_BYTES))
    at = _now() - SIMULATED_BEFORE
    platform = SimulatedPlatform(authority, chip, SigningKey.VCEK, at)

    def evidence(binding: Binding) -> Evidence:
        crl = authority.revocation_list(_now() - SIMULATED_BEFORE)
        return complete(platform.collect(binding), Supplied(crl=crl))

    return evidence


def _now() -> datetime:
    return datetime.fromtimestamp(wall_ms() / 1000, UTC)
