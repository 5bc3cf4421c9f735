"""KMS settings of a process, and settings that production refuses."""

from pathlib import Path

import pytest

from signer.custody.errors import KmsKeyWeakError
from signer.custody.kms.hsm_guard import require_hsm
from signer.custody.kms.port import KeyState, KeyStatus, ProtectionLevel
from sixgate.config.process_settings import load_settings
from sixgate.errors import SettingsError
from sixgate.kms.factory import providers

GCP = 'key = "projects/p/locations/l/keyRings/r/cryptoKeys/k"'
AWS = 'key = "arn:aws:kms:eu-central-2:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"'
AZURE = f'key = "https://acme.vault.azure.net/keys/root/{"0" * 32}"'


def written(folder: Path, text: str) -> Path:
    file = folder / "sixgate.toml"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[kms.local]\nroot = "root.key"', r"software KMS.*insecure_dev"),
        ("[kms.gcp]", "kms.gcp.key"),
        (f'[kms.gcp]\n{GCP[:-1]}/cryptoKeyVersions/1"', "kms.gcp.key"),
        (f'[kms.gcp]\n{GCP[:-1]}{"k" * 400}"', "kms.gcp.key"),
        (f'[kms.gcp]\n{GCP}\nendpoint = "https://kms"', "kms.gcp.endpoint"),
        (f"[kms.gcp]\n{GCP}\ncall_ms_max = 0", "kms.gcp.call_ms_max"),
        (f"[kms.gcp]\n{GCP}\ncall_ms_max = 60001", "kms.gcp.call_ms_max"),
        ('[kms.aws]\nkey = "alias/root"', "kms.aws.key"),
        (f'[kms.aws]\n{AWS}\nendpoint = "http://kms.example"', "TLS"),
        (f'[kms.aws]\n{AWS}\nendpoint = "kms.example"', "endpoint must be http:"),
        ('[kms.azure]\nkey = "https://acme.vault.azure.net/keys/root"', "kms.azure.key"),
        (f"[kms.azure]\n{AZURE.replace('https', 'http')}", "kms.azure.key"),
        ("[kms.vault]\nkey = 1", "kms.vault"),
    ],
)
def test_an_invalid_section_is_named_in_one_line(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence) as refused:
        load_settings(written(tmp_path, text))
    assert "\n" not in str(refused.value)


def test_every_named_provider_can_be_opened(tmp_path: Path) -> None:
    text = f"[kms.gcp]\n{GCP}\n[kms.aws]\n{AWS}\n[kms.azure]\n{AZURE}\n"
    kms = load_settings(written(tmp_path, text)).kms
    assert list(providers(kms)) == ["gcp", "aws", "azure"]
    assert kms.aws is not None
    assert kms.aws.region_name == "eu-central-2"


def test_missing_google_credentials_are_named_in_one_line(tmp_path: Path) -> None:
    text = f'[kms.gcp]\n{GCP}\ncredentials_file = "{tmp_path}/nowhere.json"\n'
    open_kms = providers(load_settings(written(tmp_path, text)).kms)["gcp"]
    with pytest.raises(SettingsError, match=r"kms.gcp: .*nowhere.json"):
        open_kms()


def test_a_key_outside_of_an_hsm_is_refused() -> None:
    require_hsm("gcp:k", KeyStatus(KeyState.ENABLED, ProtectionLevel.HSM))
    with pytest.raises(KmsKeyWeakError, match=r"gcp:k .*software"):
        require_hsm("gcp:k", KeyStatus(KeyState.ENABLED, ProtectionLevel.SOFTWARE))
