"""Key holders by settings and by folder; software keys only with ``insecure_dev``."""

import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from schemas.registry.custody import PROVIDERS
from signer.custody.errors import CustodyError, RootFileError
from signer.custody.kms.journal import KmsJournal
from signer.custody.kms.port import RootKms
from signer.custody.kms.root_file import create_root_file
from signer.custody.sealing import Holders
from sixgate.config.kms import KmsSettings, LocalSection
from sixgate.data_folder.folder import Folder
from sixgate.data_folder.holder_files import create_local_holders, ensure_local_holders
from sixgate.errors import SettingsError
from sixgate.kms.holders import (
    open_holders,
    open_secret_holders,
    refuse_shared,
    refuse_software,
)

JOURNAL = KmsJournal(lambda: 0)
AAD = b"{}"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path / "data")
    (folder.path / "keys").mkdir(parents=True)
    create_root_file(folder.root_key, secrets.token_bytes)
    return folder


def opened(folder: Folder, settings: KmsSettings | None = None) -> Holders:
    return open_holders(folder, settings or KmsSettings(), JOURNAL)


def names(holders: Holders) -> list[str]:
    return [provider.name for provider in holders.providers]


def test_a_folder_has_a_root_and_three_providers_of_different_keys_in_private_files(
    folder: Folder,
) -> None:
    ensure_local_holders(folder)
    holders = opened(folder)
    assert names(holders) == list(PROVIDERS)
    roots = {holders.root.key_id, *(provider.kms.key_id for provider in holders.providers)}
    assert len(roots) == 4
    for name in PROVIDERS:
        assert stat.S_IMODE((folder.holder_keys / f"{name}.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.holder_keys.stat().st_mode) == 0o700


def test_an_old_folder_opens_without_providers_and_gets_them_once(folder: Folder) -> None:
    assert names(opened(folder)) == []
    ensure_local_holders(folder)
    before = [provider.kms.key_id for provider in opened(folder).providers]
    (folder.holder_keys / "aws.key").unlink()
    ensure_local_holders(folder)  # a lost one is not recreated
    assert names(opened(folder)) == ["gcp", "azure"]
    assert [p.kms.key_id for p in opened(folder).providers] == [before[0], before[2]]


@pytest.mark.parametrize("draws", range(4))
def test_a_crash_during_creation_leaves_no_partial_set(folder: Folder, draws: int) -> None:
    """With a partial set, after a full disk too, vaults with shares could never store anything."""
    drawn = iter([secrets.token_bytes(32) for _ in range(draws)])

    def dying(count: int) -> bytes:
        return next(drawn)[:count]

    with pytest.raises(StopIteration):
        create_local_holders(folder.holder_keys, dying)
    assert names(opened(folder)) == []
    ensure_local_holders(folder)
    assert names(opened(folder)) == list(PROVIDERS)


def test_a_provider_file_that_others_can_read_is_refused(folder: Folder) -> None:
    ensure_local_holders(folder)
    (folder.holder_keys / "gcp.key").chmod(0o644)
    with pytest.raises(RootFileError):
        opened(folder)


def test_one_key_never_holds_two_shares(folder: Folder) -> None:
    ensure_local_holders(folder)
    (folder.holder_keys / "aws.key").write_bytes((folder.holder_keys / "gcp.key").read_bytes())
    with pytest.raises(SettingsError, match="the same key"):
        opened(folder)


def test_without_any_kms_production_refuses_the_folders_software_keys() -> None:
    with pytest.raises(SettingsError, match=r"add .kms. with root"):
        refuse_software(KmsSettings())
    refuse_software(KmsSettings(insecure_dev=True))


def test_kmss_without_a_root_are_refused(folder: Folder) -> None:
    settings = KmsSettings(local=LocalSection(root=folder.root_key), insecure_dev=True)
    with pytest.raises(SettingsError, match=r"kms\.root"):
        opened(folder, settings)


@pytest.mark.parametrize("root", ["gcp", "aws", "azure", "local"])
def test_a_root_whose_section_is_missing_is_refused(root: str) -> None:
    with pytest.raises(ValueError, match=f"{root}: add its section"):
        KmsSettings.model_validate({"root": root, "insecure_dev": True})
    with pytest.raises(ValueError, match=f"{root}: add its section"):
        KmsSettings.model_validate({"secrets": {"root": root}, "insecure_dev": True})


@pytest.mark.parametrize("place", ["local", "former", "secrets"])
def test_production_refuses_software_in_every_section(place: str) -> None:
    local = {"root": "/root.key"}
    with pytest.raises(ValueError, match="software KMS"):
        KmsSettings.model_validate({place: local if place == "local" else {"local": local}})


def test_a_new_root_opens_what_the_former_one_wrapped(folder: Folder) -> None:
    create_local_holders(folder.holder_keys, secrets.token_bytes)
    newer = folder.path / "newer.key"
    create_root_file(newer, secrets.token_bytes)
    wrapped = opened(folder).root.wrap(b"k" * 32, AAD)
    settings = KmsSettings.model_validate(
        {
            "root": "local",
            "local": {"root": newer, "holders": folder.holder_keys},
            "former": {"local": {"root": folder.root_key}},
            "insecure_dev": True,
        }
    )
    holders = opened(folder, settings)
    assert holders.root.unwrap(wrapped, AAD) == b"k" * 32
    assert names(holders) == list(PROVIDERS)
    assert holders.root.key_id != opened(folder).root.key_id


@pytest.fixture
def apart(folder: Folder) -> KmsSettings:
    """Return settings in which secrets have a separate software root and providers."""
    other = folder.path / "other"
    create_local_holders(other, secrets.token_bytes)
    create_root_file(folder.path / "other.key", secrets.token_bytes)
    ensure_local_holders(folder)
    local = {"root": folder.path / "other.key", "holders": other}
    return KmsSettings.model_validate(
        {"secrets": {"root": "local", "local": local}, "insecure_dev": True}
    )


def test_secrets_have_separate_holders_if_the_settings_name_them(
    folder: Folder, apart: KmsSettings
) -> None:
    assert open_secret_holders(KmsSettings(), JOURNAL) is None
    keys, found = opened(folder, apart), open_secret_holders(apart, JOURNAL)
    assert found
    assert names(found) == list(PROVIDERS)
    refuse_shared(keys, found)
    wrapped = keys.root.wrap(b"k" * 32, AAD)
    with pytest.raises(CustodyError):
        found.root.unwrap(wrapped, AAD)


def test_a_key_that_holds_signing_keys_holds_no_secrets(folder: Folder, apart: KmsSettings) -> None:
    keys, found = opened(folder, apart), open_secret_holders(apart, JOURNAL)
    assert found
    for shared in (
        Holders(keys.root, ()),
        Holders(keys.providers[1].kms, ()),
        Holders(found.root, keys.providers),
    ):
        with pytest.raises(SettingsError, match=r"signing keys.*\[kms\.secrets\]"):
            refuse_shared(keys, shared)


@dataclass(frozen=True)
class Named:
    """A KMS key with only a name."""

    key_id: str


ID = "01234567-89ab-cdef-0123-456789abcdef"
ARN = f"arn:aws:kms:eu-central-2:123456789012:key/{ID}"


@pytest.mark.parametrize("name", [ID, ARN])
def test_a_key_of_aws_is_the_same_by_its_arn_and_by_its_id(name: str) -> None:
    def holder(key_id: str) -> Holders:
        return Holders(cast(RootKms, Named(key_id)), ())

    with pytest.raises(SettingsError, match=r"signing keys.*\[kms\.secrets\]"):
        refuse_shared(holder(f"aws:{ARN}"), holder(f"aws:{name}"))
    refuse_shared(holder(f"aws:{ARN}"), holder(f"gcp:{name}"))


def test_holders_for_secrets_without_a_kms_or_a_root_are_refused(folder: Folder) -> None:
    with pytest.raises(SettingsError, match=r"^\[kms\.secrets\]"):
        open_secret_holders(KmsSettings.model_validate({"secrets": {}}), JOURNAL)
    local = {"local": {"root": folder.root_key}}
    rootless = KmsSettings.model_validate({"secrets": local, "insecure_dev": True})
    with pytest.raises(SettingsError, match=r"kms\.secrets\.root"):
        open_secret_holders(rootless, JOURNAL)
