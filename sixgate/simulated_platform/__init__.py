"""The simulated platform, a plug-in: signs reports as machines with SEV-SNP do, for anyone.

Sixgate finds it by its entry point and by no import. The measured image does not contain it.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from signer.attestation.device.supplied_certificates import SuppliedFiles, complete_evidence
from signer.attestation.verify.binding import Binding
from signer.attestation.verify.evidence import Evidence
from signer.attestation.verify.generations import CHIP_ID_BYTES
from signer.attestation.verify.report import SigningKey
from sixgate.simulated_platform.platform import SimulatedChip, SimulatedPlatform
from sixgate.simulated_platform.public_root import GENERATION, public_authority

# Certificates and revocation lists start in the past, because a verifier's clock may be behind.
BEFORE = timedelta(days=1)


def simulated_evidence(
    now_ms: Callable[[], int], random_bytes: Callable[[int], bytes]
) -> Callable[[Binding], Evidence]:
    """Return evidence of a new chip under the public root, for which anyone can make chips."""
    authority = public_authority()
    chip = SimulatedChip.generate(GENERATION, random_bytes(CHIP_ID_BYTES))

    def started() -> datetime:
        return datetime.fromtimestamp(now_ms() / 1000, UTC) - BEFORE

    platform = SimulatedPlatform(authority, chip, SigningKey.VCEK, started())

    def evidence(binding: Binding) -> Evidence:
        crl = authority.revocation_list(started())
        return complete_evidence(platform.collect(binding), SuppliedFiles(crl=crl))

    return evidence
