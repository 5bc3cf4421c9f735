"""Attestor: the record of a boot, and evidence for customers."""

import base64
import secrets
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.keys.boot import KeySet, SignerBoot, SignerConfiguration, evidence_digest
from signer.attestation.attestor import Attestor, BoundClaims, EvidenceSource
from signer.attestation.device.certificate_table import CertificateTable
from signer.attestation.device.platform import Collected, PlatformUnavailableError
from signer.attestation.device.sev_guest import SevGuestDevice
from signer.attestation.device.supplied_certificates import SuppliedFiles, complete_evidence
from signer.attestation.verify.binding import Binding, Purpose
from signer.attestation.verify.boot_check import BootVerificationError, ExpectedSigner, check_boot
from signer.attestation.verify.certificates import root_digest
from signer.attestation.verify.errors import Code, EvidenceError
from signer.attestation.verify.evidence import EvidenceFile
from signer.attestation.verify.policy import SIMULATED_ROOT, VerificationPolicy
from signer.attestation.verify.verify import Verified, verify
from signer.core.registry.registry import Registry
from signer.custody.event_signing import Ed25519Signer
from sixgate.attesting.factory import configuration, machine_source, open_attestor
from sixgate.clocks import wall_ms
from sixgate.config.attestation import AttestationSettings, PlatformKind
from sixgate.config.embedded import EmbeddedSettings
from sixgate.data_folder.signer_files import Trust
from sixgate.simulated_platform.public_root import public_authority
from tests.harness.builders.attestation import BINDING, platform, simulated_policy
from tests.harness.builders.sev_guest import PretendedDevice, encode_table

IDENTITY = Ed25519Signer("signer-0", b"\x21" * 32)
EXPECTED = ExpectedSigner("acme", "signer-0", (IDENTITY.public_key,))
ROOT = "0x" + "07" * 32
TRUST = Trust(org="acme", trust_root=ROOT, partitions=16, partitions_per_slot=4)
SIMULATED = AttestationSettings(platform=PlatformKind.SIMULATED, insecure_dev=True)
CONFIGURATION = configuration(SIMULATED, TRUST, [0, 2], ledger_required=True, head_required=False)
BOUND = BoundClaims("acme", "0x" + "03" * 32, "0x" + "04" * 32)
NONCE = bytes(range(32))
ACCEPTING = VerificationPolicy(measurements="any", simulated_root=SIMULATED_ROOT)
DEFAULT = VerificationPolicy(measurements="any")


def attestor() -> Attestor:
    with ExitStack() as opened:
        return open_attestor(SIMULATED, IDENTITY, TRUST, CONFIGURATION, opened)


def booted() -> tuple[Attestor, SignerBoot]:
    made = attestor()
    boot = made.boot(Registry(ROOT))
    return made, SignerBoot.decode(IDENTITY.sign_event(boot))


def judged(
    file: EvidenceFile, nonce: bytes, policy: VerificationPolicy, purpose: Purpose | None = None
) -> Verified:
    binding = file.binding(purpose or policy.purpose, nonce)
    assert binding
    return verify(file.evidence(), policy, binding.report_data(), wall_ms())


def code_of(file: EvidenceFile, nonce: bytes, policy: VerificationPolicy) -> Code:
    with pytest.raises(EvidenceError) as caught:
        judged(file, nonce, policy)
    return caught.value.code


def test_a_boot_names_key_set_configuration_and_registry_position() -> None:
    _, boot = booted()
    key_set = KeySet(org="acme", signer="signer-0", trust_root=ROOT)
    facts = boot.facts
    assert facts.key_set == key_set.key_set_id()
    assert facts.configuration == CONFIGURATION.configuration_digest()
    assert (facts.registry, facts.registry_sequence) == (Registry(ROOT).last_digest, 0)
    assert check_boot(boot, EXPECTED, ACCEPTING, wall_ms()).simulated


def test_every_slot_of_a_process_gets_the_same_record() -> None:
    made, boot = booted()
    assert made.boot(Registry("0x" + "08" * 32)) == boot.model_copy(update={"signature": None})


def test_two_boots_of_one_signer_have_two_ids() -> None:
    assert booted()[1].id != booted()[1].id


def test_the_default_policy_refuses_the_simulated_root() -> None:
    _, boot = booted()
    with pytest.raises(EvidenceError) as caught:
        check_boot(boot, EXPECTED, DEFAULT, wall_ms())
    assert caught.value.code is Code.ROOT_UNPINNED
    assert root_digest(_file(boot).certificates.encoded()) == SIMULATED_ROOT[2:]


def test_a_customers_evidence_verifies_with_its_own_nonce_only() -> None:
    made, boot = booted()
    file = made.evidence(NONCE)
    assert file
    found = judged(file, NONCE, ACCEPTING)
    assert (found.simulated, found.revocation_checked) == (True, True)
    assert file.claims == _file(boot).claims
    assert code_of(file, bytes(32), ACCEPTING) is Code.REPORT_DATA_MISMATCH
    assert code_of(_file(boot), NONCE, ACCEPTING) is Code.REPORT_DATA_MISMATCH


def test_a_customers_evidence_opens_no_keys() -> None:
    made, _ = booted()
    file = made.evidence(NONCE)
    assert file
    release = ACCEPTING.model_copy(update={"purpose": Purpose.KEY_RELEASE})
    assert code_of(file, NONCE, release) is Code.REPORT_DATA_MISMATCH


@pytest.mark.parametrize("size", [0, 31, 65])
def test_a_nonce_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=r"nonce.*32 to 64 bytes"):
        booted()[0].evidence(bytes(size))


def test_evidence_for_the_id_of_an_invented_boot_makes_no_record_of_it() -> None:
    """The nonce may be the id of invented facts, and the customer may have the signer's key."""
    made, boot = booted()
    invented = boot.facts.model_copy(update={"registry_sequence": 9})
    file = made.evidence(bytes.fromhex(invented.boot_id()[2:]))
    assert file
    text = base64.b64encode(file.encode()).decode()
    named = {"id": invented.boot_id(), "facts": invented, "evidence": text}
    forged = boot.model_copy(update=named | {"evidence_digest": evidence_digest(file.encode())})
    with pytest.raises(BootVerificationError, match="did not sign"):
        check_boot(forged, EXPECTED, ACCEPTING, wall_ms())
    by_thief = SignerBoot.decode(IDENTITY.sign_event(forged))
    with pytest.raises(EvidenceError) as caught:
        check_boot(by_thief, EXPECTED, ACCEPTING, wall_ms())
    assert caught.value.code is Code.REPORT_DATA_MISMATCH


def test_there_is_no_evidence_before_the_boot_record() -> None:
    assert attestor().evidence(NONCE) is None


@pytest.mark.parametrize("field", list(SignerConfiguration.model_fields))
def test_every_part_of_a_configuration_changes_its_digest(field: str) -> None:
    others: dict[str, Any] = {
        "v": 2,
        "software": "another",
        "platform": "sev-guest",
        "trust_root": "0x" + "08" * 32,
        "partitions": 8,
        "partitions_per_slot": 2,
        "slots": (0,),
        "ledger_required": False,
        "head_required": True,
    }
    other = CONFIGURATION.model_copy(update={field: others[field]})
    assert other.configuration_digest() != CONFIGURATION.configuration_digest()


def test_an_embedded_pipeline_is_simulated_unless_the_environment_names_a_platform(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert EmbeddedSettings().attestation == SIMULATED
    monkeypatch.setenv("SIXGATE_ATTESTATION__PLATFORM", "configfs")
    assert EmbeddedSettings().attestation == AttestationSettings(platform=PlatformKind.CONFIGFS)


def test_a_signer_does_not_start_without_its_platform(tmp_path: Any) -> None:
    settings = AttestationSettings(platform=PlatformKind.SEV_GUEST)
    with ExitStack() as opened, pytest.raises(PlatformUnavailableError, match="/dev/sev-guest"):
        open_attestor(settings, IDENTITY, TRUST, CONFIGURATION, opened)
    missing = AttestationSettings(platform=PlatformKind.CONFIGFS, certificates=tmp_path / "no")
    with (
        ExitStack() as opened,
        pytest.raises(PlatformUnavailableError, match=r"attestation\.certificates"),
    ):
        open_attestor(missing, IDENTITY, TRUST, CONFIGURATION, opened)


def test_files_supply_the_certificates_that_the_host_does_not() -> None:
    """The device's report, the files' certificates: together they verify."""
    chip = platform()
    chain = chip.certificates
    supplied = SuppliedFiles(chain.leaf, chain.intermediate, chain.root)

    def bare(binding: Binding) -> Collected:
        return replace(chip.collect(binding), certificates=CertificateTable())

    source = EvidenceSource(
        lambda binding: complete_evidence(bare(binding), supplied), simulated=True
    )
    made = Attestor(IDENTITY, source, BOUND, wall_ms, secrets.token_bytes)
    made.boot(Registry(ROOT))
    file = made.evidence(NONCE)
    assert file
    found = judged(file, NONCE, simulated_policy(crl="optional"))
    assert not found.revocation_checked


def test_a_new_revocation_list_needs_no_restart(tmp_path: Path) -> None:
    """A list expires after weeks; customers and releases then refuse the evidence."""
    source = machine_source(platform(), tmp_path)
    made = Attestor(IDENTITY, source, BOUND, wall_ms, secrets.token_bytes)
    made.boot(Registry(ROOT))
    for content in (b"old", b"new"):
        (tmp_path / "crl.der").write_bytes(content)
        file = made.evidence(NONCE)
        assert file
        assert file.evidence().crl == content


@pytest.mark.parametrize("given", [True, False])
def test_a_device_behind_a_busy_host_attests_with_or_without_its_certificates(
    *, given: bool
) -> None:
    """BUSY twice; then INVALID_LEN and the table if there is one, else the report alone."""
    chip = platform()
    chain, table = chip.certificates, chip.collect(BINDING).certificates
    kernel = PretendedDevice(
        lambda report_data, vmpl: chip.sign({"report_data": report_data, "vmpl": vmpl}),
        table=encode_table(table) if given else b"",
        busy=2,
    )
    device = SevGuestDevice(7, kernel.ioctl, kernel.pauses.append)
    files = SuppliedFiles() if given else SuppliedFiles(chain.leaf, chain.intermediate, chain.root)
    source = EvidenceSource(
        lambda binding: complete_evidence(device.collect(binding), files), simulated=True
    )
    made = Attestor(IDENTITY, source, BOUND, wall_ms, secrets.token_bytes)
    boot = SignerBoot.decode(IDENTITY.sign_event(made.boot(Registry(ROOT))))
    policy = simulated_policy(crl="optional")
    assert check_boot(boot, EXPECTED, policy, wall_ms()).report.vmpl == 0
    assert (len(kernel.pauses), len(kernel.calls)) == (2, 4 if given else 3)


def test_the_public_root_has_the_documented_digest() -> None:
    assert public_authority().root_digest == SIMULATED_ROOT


def _file(boot: SignerBoot) -> EvidenceFile:
    return EvidenceFile.decode(base64.b64decode(boot.evidence))
