"""Resealing a signer's identity under the root key of its settings."""

import secrets
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from signer.custody.errors import KmsKeyNotFoundError
from signer.custody.kms.root_file import create_root_file, open_local_kms
from sixgate.config.kms import KmsSettings
from sixgate.config.process_settings import Settings
from sixgate.data_folder.folder import Folder
from sixgate.data_folder.identity import read_identity
from sixgate.errors import SettingsError
from sixgate.operate.reseal import replace_identity, reseal
from sixgate.services.signer_keys import prepare_signer, refuse_software_identity
from sixgate.services.slot import SignerKeys
from tests.harness.pipeline.embedded import make_folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return make_folder(tmp_path / "data", [])


def settings(folder: Folder, root: Path | None, former: Path | None = None) -> Settings:
    kms: dict[str, Any] = {"insecure_dev": True}
    if root:
        kms |= {"root": "local", "local": {"root": root}}
    if former:
        kms |= {"former": {"local": {"root": former}}}
    return Settings(data=folder.path, kms=KmsSettings.model_validate(kms))


def started(current: Settings) -> SignerKeys:
    with ExitStack() as opened:
        return prepare_signer(current, opened).keys()


def another(tmp_path: Path, name: str) -> Path:
    create_root_file(tmp_path / name, secrets.token_bytes)
    return tmp_path / name


def test_the_identity_is_the_same_under_each_new_root(folder: Folder, tmp_path: Path) -> None:
    first, second = another(tmp_path, "first.key"), another(tmp_path, "second.key")
    made = started(settings(folder, None))
    for current in (settings(folder, first), settings(folder, second, former=first)):
        moved = reseal(current)
        assert (moved.changed, moved.sealed.public_key) == (True, made.identity.public_key)
        folder.root_key.unlink(missing_ok=True)
        opened = started(current)
        assert opened.identity.public_key == made.identity.public_key
        assert opened.state_key == made.state_key


def test_it_opens_under_a_former_root_until_it_is_resealed(folder: Folder, tmp_path: Path) -> None:
    first, second = another(tmp_path, "first.key"), another(tmp_path, "second.key")
    made = reseal(settings(folder, first)).sealed
    turning = settings(folder, second, former=first)
    assert started(turning).identity.public_key == made.public_key
    assert reseal(turning).before == made.root
    assert started(settings(folder, second)).identity.public_key == made.public_key
    with pytest.raises(KmsKeyNotFoundError):
        started(settings(folder, first))


def test_resealing_is_idempotent(folder: Folder, tmp_path: Path) -> None:
    current = settings(folder, another(tmp_path, "first.key"))
    reseal(current)
    before = folder.signer_identity.read_bytes()
    assert not reseal(current).changed
    assert folder.signer_identity.read_bytes() == before


def test_a_falsely_named_root_is_detected(folder: Folder, tmp_path: Path) -> None:
    current = settings(folder, another(tmp_path, "first.key"))
    claimed = open_local_kms(tmp_path / "first.key", secrets.token_bytes).key_id
    replace_identity(folder, read_identity(folder).model_copy(update={"root": claimed}))
    with pytest.raises(KmsKeyNotFoundError):
        reseal(current)
    with pytest.raises(KmsKeyNotFoundError):
        started(current)


def test_an_older_file_is_rewritten_with_its_context(folder: Folder) -> None:
    before = started(settings(folder, None))
    own = open_local_kms(folder.root_key, secrets.token_bytes)
    sealed = read_identity(folder)
    both = own.unwrap(bytes.fromhex(sealed.sealed[2:]), sealed.context())
    folder.signer_identity.write_bytes(own.wrap(both, b"sixgate/signer-identity/v1"))
    assert started(settings(folder, None)).identity.public_key == before.identity.public_key
    assert reseal(settings(folder, None)).changed
    assert folder.signer_identity.read_bytes().startswith(b"{")
    assert started(settings(folder, None)).identity.public_key == before.identity.public_key


def test_production_refuses_an_identity_that_is_sealed_in_software(folder: Folder) -> None:
    sealed = read_identity(folder)
    refuse_software_identity(sealed, KmsSettings(insecure_dev=True))
    with pytest.raises(SettingsError, match=r"sixgate services reseal.*insecure_dev = true"):
        refuse_software_identity(sealed, KmsSettings())
    cloud = {"root": "aws", "aws": {"key": "01234567-89ab-cdef-0123-456789abcdef"}}
    current = Settings(data=folder.path, kms=KmsSettings.model_validate(cloud))
    with pytest.raises(SettingsError, match="sixgate services reseal"):
        started(current)


def test_without_any_kms_production_reseals_nothing(folder: Folder) -> None:
    before = folder.signer_identity.read_bytes()
    with pytest.raises(SettingsError, match=r"add \[kms\]"):
        reseal(Settings(data=folder.path))
    assert folder.signer_identity.read_bytes() == before
