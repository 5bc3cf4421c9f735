from typing import Any

import pytest
from pydantic import ValidationError

from signer.attestation.verify.binding import Purpose
from signer.attestation.verify.policy import GenerationFloor, VerificationPolicy
from signer.attestation.verify.report import SigningKey
from signer.attestation.verify.tcb import Generation
from tests.harness.builders.attestation import simulated_policy


def test_the_defaults_are_strict() -> None:
    policy = VerificationPolicy()
    assert policy.versions == (3, 5)
    assert policy.signing_keys == (SigningKey.VCEK,)
    assert (policy.crl, policy.simulated_root) == ("required", None)
    assert (policy.vmpl_max, policy.masked_chip_allowed) == (0, False)
    assert policy.measurements == ()
    assert int(policy.platform_must_set, 16) == 1 << 5
    assert policy.purpose is Purpose.CUSTOMER_ATTESTATION
    floors = {floor.generation: floor.snp_min for floor in policy.generations}
    assert floors == {Generation.MILAN: 0x18, Generation.GENOA: 0x17}


def test_every_field_changes_the_digest() -> None:
    changes: dict[str, Any] = {
        "purpose": Purpose.KEY_RELEASE,
        "versions": (5,),
        "signing_keys": tuple(SigningKey),
        "csp_ids": ("CN=x",),
        "generations": (GenerationFloor(generation=Generation.TURIN, snp_min=4),),
        "crl": "optional",
        "simulated_root": "0x" + "01" * 32,
        "chip_ids_denied": ("0x" + "01" * 64,),
        "masked_chip_allowed": True,
        "vmpl_max": 1,
        "guest_policy_must_set": "0x1",
        "guest_policy_must_clear": "0x0",
        "measurements": "any",
        "host_data": "0x" + "01" * 32,
        "family_id": "0x" + "01" * 16,
        "image_id": "0x" + "01" * 16,
        "id_key_digests": ("0x" + "01" * 48,),
        "author_key_digests": ("0x" + "01" * 48,),
        "guest_svn_min": 1,
        "launch_tcb_floor": True,
        "current_tcb_committed": True,
        "platform_must_set": "0x0",
        "platform_must_clear": "0x1",
    }
    assert changes.keys() == VerificationPolicy.model_fields.keys() - {"v"}
    digests = {VerificationPolicy(**{name: value}).digest() for name, value in changes.items()}
    assert len(digests | {VerificationPolicy().digest()}) == len(changes) + 1


def test_a_policy_round_trips() -> None:
    policy = simulated_policy()
    assert VerificationPolicy.decode(policy.encode()) == policy


@pytest.mark.parametrize(
    "members",
    [
        {"versions": ()},
        {"versions": (4,)},
        {"signing_keys": ()},
        {"generations": ()},
        {"generations": (GenerationFloor(generation=Generation.MILAN, snp_min=1),) * 2},
        {"measurements": ("0x" + "01" * 32,)},
        {"measurements": "all"},
        {"id_key_digests": ()},
        {"vmpl_max": 4},
        {"platform_must_set": "32"},
        {"platform_must_set": "0x" + "1" * 17},
        {"debug_allowed": True},
    ],
)
def test_an_invalid_policy_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        VerificationPolicy(**members)


@pytest.mark.parametrize("firmware", ["1.55", "1.55.256", "1.055.1", "01.55.1", "1.55.1 "])
def test_a_malformed_firmware_version_is_refused(firmware: str) -> None:
    with pytest.raises(ValidationError):
        GenerationFloor(generation=Generation.MILAN, snp_min=1, firmware_min=firmware)
