"""Simulated SEV-SNP platforms of each generation, and real reports."""

import base64
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from signer.attestation.verify.binding import Binding, Purpose
from signer.attestation.verify.errors import Code, EvidenceError
from signer.attestation.verify.evidence import EncodedChain, Evidence
from signer.attestation.verify.policy import GenerationFloor, VerificationPolicy
from signer.attestation.verify.report import SigningKey
from signer.attestation.verify.tcb import Generation
from signer.attestation.verify.verify import Verified, verify
from sixgate.simulated_platform.certificates import AuthorityKeys, SimulatedAuthority
from sixgate.simulated_platform.platform import CSP, MEASUREMENT, SimulatedChip, SimulatedPlatform
from tests.harness.builders.vectors import SEV_VECTORS, without_vectors

AT = datetime(2026, 6, 1, tzinfo=UTC)
AT_MS = int(AT.timestamp() * 1000)
BINDING = Binding(
    Purpose.CUSTOMER_ATTESTATION, b"\x01" * 32, b"\x02" * 32, b"\x03" * 32, b"\x04" * 32
)
_SIGNATURE_BYTES = 4096 // 8
_TRUSTEE = "confidential-containers-trustee/snp"


@cache
def authority_keys() -> AuthorityKeys:
    return AuthorityKeys.generate()


@cache
def other_keys() -> AuthorityKeys:
    """Return the keys of another authority, with its own root."""
    return AuthorityKeys.generate()


@cache
def _authorities() -> dict[Generation, SimulatedAuthority]:
    return {one: SimulatedAuthority.create(authority_keys(), one, AT) for one in Generation}


@cache
def _platforms() -> dict[tuple[Generation, SigningKey], SimulatedPlatform]:
    chips = {one: SimulatedChip.generate(one, bytes(range(1, 65))) for one in Generation}
    return {
        (generation, kind): SimulatedPlatform(authority(generation), chip, kind, AT)
        for generation, chip in chips.items()
        for kind in SigningKey
    }


def authority(generation: Generation = Generation.MILAN) -> SimulatedAuthority:
    return _authorities()[generation]


def platform(
    generation: Generation = Generation.MILAN, kind: SigningKey = SigningKey.VCEK
) -> SimulatedPlatform:
    return _platforms()[generation, kind]


def crl(generation: Generation = Generation.MILAN) -> bytes:
    return authority(generation).revocation_list(AT)


def simulated_policy(
    generation: Generation = Generation.MILAN, **changes: Any
) -> VerificationPolicy:
    """Return production's policy with the simulated root and measurement of a generation."""
    members: dict[str, Any] = {
        "simulated_root": authority(generation).root_digest,
        "measurements": (f"0x{MEASUREMENT.hex()}",),
    }
    if generation is Generation.TURIN:
        members["generations"] = (GenerationFloor(generation=generation, snp_min=1),)
    return VerificationPolicy(**(members | changes))


VLEK_TERMS: dict[str, Any] = {"signing_keys": (SigningKey.VLEK,), "csp_ids": (CSP,)}


def simulated_evidence(
    generation: Generation = Generation.MILAN, kind: SigningKey = SigningKey.VCEK, **fields: Any
) -> Evidence:
    """Return good evidence with these fields of the report replaced and signed again."""
    chip = platform(generation, kind)
    report = chip.sign({"report_data": BINDING.report_data()} | fields)
    return Evidence(report, chip.certificates, crl(generation))


def evidence_of(chip: SimulatedChip) -> Evidence:
    """Return good evidence of another simulated Milan chip."""
    signing = SimulatedPlatform(authority(), chip, SigningKey.VCEK, AT)
    report = signing.sign({"report_data": BINDING.report_data()})
    return Evidence(report, signing.certificates, crl())


def verified(
    evidence: Evidence, policy: VerificationPolicy | None = None, at_ms: int = AT_MS
) -> Verified:
    return verify(evidence, policy or simulated_policy(), BINDING.report_data(), at_ms)


def refused(
    code: Code,
    evidence: Evidence,
    policy: VerificationPolicy | None = None,
    at_ms: int = AT_MS,
    report_data: bytes | None = None,
) -> EvidenceError:
    """Check that evidence is refused with this code."""
    expected = BINDING.report_data() if report_data is None else report_data
    with pytest.raises(EvidenceError) as caught:
        verify(evidence, policy or simulated_policy(), expected, at_ms)
    error = caught.value
    assert error.code is code, str(error)
    return error


def with_one_bit_unused(made: Callable[[], bytes]) -> tuple[bytes, bytes]:
    """Re-sign until the signature ends in a zero bit; declare that bit unused."""
    der = next(der for der in iter(made, None) if not der[-1] & 1)
    signature = der[-_SIGNATURE_BYTES:]
    return der, der.removesuffix(b"\x00" + signature) + b"\x01" + signature


def with_one_byte_less(made: Callable[[], bytes]) -> tuple[bytes, bytes]:
    """Re-sign until the signature begins with a zero byte; omit that byte."""
    der = next(der for der in iter(made, None) if not der[-_SIGNATURE_BYTES])
    head, signature = der[2:-_SIGNATURE_BYTES], der[-_SIGNATURE_BYTES + 1 :]
    length = int.from_bytes(head[:2]) - 1
    inner = (_SIGNATURE_BYTES).to_bytes(2)
    body = head[2:].removesuffix((_SIGNATURE_BYTES + 1).to_bytes(2) + b"\x00")
    return der, der[:2] + length.to_bytes(2) + body + inner + b"\x00" + signature


def with_chain(evidence: Evidence, **certificates: bytes) -> Evidence:
    return replace(evidence, certificates=replace(evidence.certificates, **certificates))


def sev_file(name: str) -> bytes:
    """Return a file of ../shared/sev_vectors; without them skip, or fail where CI=true."""
    if not SEV_VECTORS.is_dir():
        without_vectors(SEV_VECTORS)
    return (SEV_VECTORS / name).read_bytes()


def manifest() -> Any:
    return json.loads(sev_file("manifest.json"))


def ders(name: str) -> list[bytes]:
    """Return the certificates of a file, PEM or DER, in DER."""
    raw = sev_file(name)
    blocks = re.findall(rb"-----BEGIN CERTIFICATE-----(.*?)-----END", raw, re.DOTALL)
    return [base64.b64decode(block) for block in blocks] or [raw]


def real_chain(generation: str, kind: str, leaf: str) -> EncodedChain:
    """Return a genuine leaf certificate with the intermediate and root of its generation."""
    ask, ark, asvk = ders(f"{_TRUSTEE}/{generation}_ask_ark_asvk.pem")
    return EncodedChain(ders(leaf)[0], ask if kind == "VCEK" else asvk, ark)


def real_evidence(vector: dict[str, Any]) -> Evidence:
    """Return a vector of the manifest as evidence; no genuine revocation list is published."""
    chain = real_chain(vector["generation"], vector["signing_key"], vector["vek"])
    return Evidence(sev_file(vector["report"]), chain)


def repository_page(name: str) -> str:
    return (Path(__file__).parents[3] / "docs" / name).read_text()
