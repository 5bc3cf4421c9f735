"""Simulated platform: signs reports of any generation, for tests and machines without SEV-SNP.

Anyone who runs it can sign any report, so its reports prove nothing about a machine. Its root is
not pinned, and results verified under it are marked ``simulated``.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding

from signer.attestation.device.certificate_table import CertificateTable
from signer.attestation.device.platform import VMPL, Collected
from signer.attestation.verify.binding import Binding
from signer.attestation.verify.endorsement import Endorsement
from signer.attestation.verify.evidence import EncodedChain
from signer.attestation.verify.generations import CHIP_ID_BYTES, PROFILES
from signer.attestation.verify.report import (
    ECDSA_P384_SHA384,
    FIELDS,
    REPORT_BYTES,
    SIGNED_BYTES,
    SigningKey,
)
from signer.attestation.verify.tcb import Generation, Tcb, encode_tcb
from sixgate.simulated_platform.certificates import SimulatedAuthority

MEASUREMENT = b"simulated".ljust(48, b"\x00")
CSP = "CN=simulated.invalid"
_CPUS = {
    Generation.MILAN: (0x19, 0x01),
    Generation.GENOA: (0x19, 0x11),
    Generation.TURIN: (0x1A, 2),
}
_KEY_INFO = {SigningKey.VCEK: 0, SigningKey.VLEK: 1 << 2}
_TCB = Tcb(boot_loader=10, tee=0, snp=27, microcode=222)


@dataclass(frozen=True, slots=True)
class SimulatedChip:
    """One chip: its identity, its TCB, and the key that signs its reports."""

    key: ec.EllipticCurvePrivateKey = field(repr=False)
    chip_id: bytes
    tcb: Tcb

    @classmethod
    def generate(cls, generation: Generation, chip_id: bytes) -> "SimulatedChip":
        """Make a chip with a new key; ``chip_id`` is cut or padded to the generation's size."""
        hwid = chip_id[: PROFILES[generation].hwid_bytes]
        fmc = 1 if generation is Generation.TURIN else None
        key = ec.generate_private_key(ec.SECP384R1())
        return cls(key, hwid.ljust(CHIP_ID_BYTES, b"\x00"), _TCB._replace(fmc=fmc))


class SimulatedPlatform:
    """Signs reports as a chip of a generation does, with its VCEK or a cloud provider's VLEK."""

    def __init__(
        self,
        authority: SimulatedAuthority,
        chip: SimulatedChip,
        kind: SigningKey,
        at: datetime,
    ) -> None:
        self._authority = authority
        self._chip = chip
        self._kind = kind
        self.endorsement = self._endorsement()
        public_key = chip.key.public_key()
        self.leaf = authority.endorse(public_key, kind, self.endorsement, at)

    @property
    def certificates(self) -> EncodedChain:
        """Return the chain in DER."""
        chain = (self.leaf, self._authority.intermediates[self._kind], self._authority.root)
        return EncodedChain(*(one.public_bytes(Encoding.DER) for one in chain))

    def collect(self, binding: Binding) -> Collected:
        """Return a report with this binding, and its certificates."""
        encoded = self.certificates
        leaf = {self._kind.value: encoded.leaf}
        table = CertificateTable(intermediate=encoded.intermediate, root=encoded.root, **leaf)
        return Collected(self.sign({"report_data": binding.report_data()}), table)

    def sign(self, fields: Mapping[str, Any]) -> bytes:
        """Return a signed report in which ``fields`` replace the platform's own."""
        unsigned = encode_report(self._fields() | dict(fields))[:SIGNED_BYTES]
        signature = self._chip.key.sign(unsigned, ec.ECDSA(SHA384()))
        r, s = (value.to_bytes(72, "little") for value in decode_dss_signature(signature))
        return (unsigned + r + s).ljust(REPORT_BYTES, b"\x00")

    def _fields(self) -> dict[str, Any]:
        generation = self._authority.generation
        tcb = encode_tcb(self._chip.tcb, PROFILES[generation].layout)
        family, model = _CPUS[generation]
        return {
            "version": 5,
            "policy": 0x30000,
            "vmpl": VMPL,
            "signature_algorithm": ECDSA_P384_SHA384,
            "platform_info": 0x25,
            "key_info": _KEY_INFO[self._kind],
            "measurement": MEASUREMENT,
            "report_id_ma": b"\xff" * 32,
            "cpu_family": family,
            "cpu_model": model,
            "cpu_stepping": 1,
            "chip_id": self._chip.chip_id,
            **dict.fromkeys(("current_tcb", "reported_tcb", "committed_tcb", "launch_tcb"), tcb),
            **dict.fromkeys(("current_major", "committed_major"), 1),
            **dict.fromkeys(("current_minor", "committed_minor"), 55),
            **dict.fromkeys(("current_build", "committed_build"), 40),
        }

    def _endorsement(self) -> Endorsement:
        profile = PROFILES[self._authority.generation]
        is_vcek = self._kind is SigningKey.VCEK
        return Endorsement(
            product_name=profile.product,
            tcb=self._chip.tcb,
            hwid=self._chip.chip_id[: profile.hwid_bytes] if is_vcek else None,
            csp_id=None if is_vcek else CSP,
        )


def encode_report(fields: Mapping[str, Any]) -> bytes:
    """Encode fields as a report of 1184 bytes; all others are zero."""
    raw = bytearray(REPORT_BYTES)
    for name, offset, code, _ in FIELDS:
        if name in fields:
            struct.pack_into(f"<{code}", raw, offset, fields[name])
    return bytes(raw)
