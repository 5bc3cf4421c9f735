"""Production refuses the simulated platform and the software KMS by name."""

import pytest
from pydantic import ValidationError

from sixgate.config.attestation import AttestationSettings, PlatformKind
from sixgate.config.kms import KmsSettings


def test_production_refuses_the_simulated_platform() -> None:
    with pytest.raises(ValidationError) as caught:
        AttestationSettings.model_validate({"platform": "simulated"})
    (error,) = caught.value.errors()  # the text of the exception also repeats the input
    assert "simulated platform prove nothing" in error["msg"]
    assert "insecure_dev = true" in error["msg"]
    found = AttestationSettings.model_validate({"platform": "simulated", "insecure_dev": True})
    assert found.platform is PlatformKind.SIMULATED


def test_production_refuses_the_software_kms() -> None:
    with pytest.raises(ValidationError, match="software KMS"):
        KmsSettings.model_validate({"local": {"root": "root.key"}})


@pytest.mark.parametrize("platform", ["sev-guest", "configfs"])
def test_genuine_platforms_need_no_insecure_dev(platform: str) -> None:
    assert AttestationSettings.model_validate({"platform": platform}).platform == platform


@pytest.mark.parametrize("wrong", [{}, {"platform": "sgx"}, {"platform": "configfs", "x": 1}])
def test_an_unknown_platform_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AttestationSettings.model_validate(wrong)
