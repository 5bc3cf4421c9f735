"""Custody's key holders open keys of secrets and nothing else."""

import secrets
from pathlib import Path
from typing import Any

import pytest

from schemas.registry.custody import KEY_VAULTS
from signer.custody.context import Layer, SecretContext
from signer.custody.errors import CorruptError, KmsDeniedError
from signer.custody.kms.journal import KmsJournal
from signer.custody.kms.root_file import open_local_kms
from signer.custody.sealing import Holders
from sixgate.config.kms import KmsSettings
from sixgate.custody.key_holders import SecretsOnlyKms, open_custody_holders, secrets_only
from sixgate.data_folder.folder import Folder
from sixgate.errors import SettingsError
from tests.harness.builders.custody_material import root_kms
from tests.harness.builders.custody_providers import clouds
from tests.harness.pipeline.embedded import make_folder

KEY = b"\x05" * 32


def place(vault: str) -> SecretContext:
    return SecretContext(
        org="acme", account="treasury", vault=vault, path="a/b", version=1, mode="envelope"
    )


def contexts(vault: str) -> list[bytes]:
    here = place(vault)
    return [here.vault_context.aad(), here.share_aad("gcp"), here.share_aad("aws")]


@pytest.mark.parametrize("context", contexts("main"))
def test_keys_and_shares_of_secrets_are_opened(context: bytes) -> None:
    root = root_kms()
    assert SecretsOnlyKms(root).unwrap(root.wrap(KEY, context), context) == KEY


@pytest.mark.parametrize("context", [each for vault in KEY_VAULTS for each in contexts(vault)])
def test_no_signing_key_is_asked_for_whatever_was_wrapped(context: bytes) -> None:
    root = root_kms()
    with pytest.raises(KmsDeniedError, match=r"signing keys.*-keys"):
        SecretsOnlyKms(root).unwrap(root.wrap(KEY, context), context)


def test_a_signing_key_passed_off_as_a_secret_does_not_open() -> None:
    root = root_kms()
    key, secret = place("__agent-keys").vault_context.aad(), place("main").vault_context.aad()
    with pytest.raises(CorruptError):
        SecretsOnlyKms(root).unwrap(root.wrap(KEY, key), secret)


@pytest.mark.parametrize(
    "context",
    [b"", b"{}", b"sixgate/signer-identity/v1", place("main").aad(Layer.DEK)],
    ids=["nothing", "no context", "the signer's identity", "a data key"],
)
def test_only_keys_of_vaults_are_unwrapped(context: bytes) -> None:
    root = root_kms()
    with pytest.raises(KmsDeniedError):
        SecretsOnlyKms(root).unwrap(root.wrap(KEY, context), context)


def test_nothing_is_wrapped_by_any_of_them() -> None:
    with clouds() as some:
        known = Holders(some.root, some.holders("2of3_multi_hsm").providers)
        held = secrets_only(known)
        assert [one.name for one in held.providers] == [one.name for one in known.providers]
        for kms in (held.root, *(one.kms for one in held.providers)):
            assert kms.key_id
            with pytest.raises(KmsDeniedError):
                kms.wrap(KEY, place("main").vault_context.aad())


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return make_folder(tmp_path / "data", [])


CLOUD = {
    "key": "projects/p/locations/l/keyRings/r/cryptoKeys/k",
    "endpoint": "127.0.0.1:1",  # asked when it is first used, which is never
}


def held(folder: Folder, **settings: object) -> Holders:
    return open_custody_holders(folder, KmsSettings.model_validate(settings), KmsJournal(lambda: 0))


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({}, r"add \[kms\.secrets\]"),
        ({"secrets": {}}, r"^\[kms\.secrets\]"),
        ({"gcp": CLOUD}, r"\[kms\.gcp\]"),
        ({"gcp": CLOUD, "secrets": {"root": "gcp", "gcp": CLOUD}}, r"\[kms\.gcp\]"),
        ({"former": {"gcp": CLOUD}, "secrets": {"root": "gcp", "gcp": CLOUD}}, r"kms\.former\.gcp"),
    ],
)
def test_in_production_custody_has_no_rights_on_what_holds_signing_keys(
    folder: Folder, settings: dict[str, Any], why: str
) -> None:
    with pytest.raises(SettingsError, match=why):
        held(folder, **settings)


def test_in_production_custody_has_the_keys_of_secrets(folder: Folder) -> None:
    found = held(folder, secrets={"root": "gcp", "gcp": CLOUD})
    assert found.root.key_id == f"gcp:{CLOUD['key']}"


def test_in_development_the_folders_own_keys_serve_and_signing_keys_stay_shut(
    folder: Folder,
) -> None:
    assert len(held(folder, insecure_dev=True).providers) == 3
    root = open_local_kms(folder.root_key, secrets.token_bytes)
    key, secret = (place(name).vault_context.aad() for name in ("__agent-keys", "main"))
    wrapped, other = root.wrap(KEY, key), root.wrap(KEY, secret)
    assert held(folder, insecure_dev=True).root.unwrap(other, secret) == KEY
    with pytest.raises(KmsDeniedError):
        held(folder, insecure_dev=True).root.unwrap(wrapped, key)
