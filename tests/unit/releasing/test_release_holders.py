"""Key holders of a signer without a KMS: releases of the current policy."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from signer.attestation.release.client.kms import ReleasedKms, Transport
from signer.attestation.release.policy import ReleaseHolder, ReleasePolicy
from signer.custody.errors import KmsDeniedError
from signer.custody.event_signing import Ed25519Signer
from sixgate.config.kms import KmsSettings, LocalSection
from sixgate.config.releases import ReleaseAddress, ReleasesSettings
from sixgate.errors import SettingsError
from sixgate.releasing.policy_file import PolicyFile
from sixgate.releasing.release_holders import (
    RELOAD_MS,
    CurrentPolicy,
    ReleasedHolder,
    refuse_own_kms,
)
from tests.harness.builders.attestation import AT_MS
from tests.harness.builders.custody_material import Stream
from tests.harness.builders.release import (
    ADMIN,
    ORG,
    SHARE,
    SHARE_AAD,
    Release,
    attest,
    holder,
    release_policy,
    requester,
    rs256,
    signed_policy,
)


@dataclass
class World:
    """A folder with a policy, and a clock."""

    path: Path
    now_ms: int = AT_MS
    releases: dict[str, Release] = field(default_factory=lambda: {"gcp": Release("gcp")})

    def publish(self, policy: ReleasePolicy, signer: Ed25519Signer = ADMIN) -> None:
        (self.path / "policy.json").write_bytes(signed_policy(policy, signer).encode())

    def file(self) -> PolicyFile:
        trust = settings(self.path).trust()
        return PolicyFile(self.path / "policy.json", self.path / "mark", trust, lambda: self.now_ms)

    def held(self, provider: str = "gcp") -> ReleasedHolder:
        policy = CurrentPolicy(self.file(), lambda: self.now_ms)
        return ReleasedHolder(provider, policy, self.releases["gcp"], made)


def made(named: ReleaseHolder, transport: Transport) -> ReleasedKms:
    return ReleasedKms(
        named, requester(), transport, attest, lambda: rs256(aud=named.audience), Stream("signer")
    )


def settings(path: Path, **changes: Any) -> ReleasesSettings:
    members = {
        "org": ORG,
        "policy": path / "policy.json",
        "admins": (ADMIN.public_key,),
        "insecure_dev": True,
        "at": {"gcp": {"url": "http://127.0.0.1:9440", "token": path / "token"}},
    }
    return ReleasesSettings(**(members | changes))


@pytest.fixture
def world(tmp_path: Path) -> World:
    found = World(tmp_path)
    found.publish(release_policy())
    return found


def test_a_share_goes_to_the_release_that_the_policy_names(world: World) -> None:
    kms = world.held()
    assert kms.unwrap(kms.wrap(SHARE, SHARE_AAD), SHARE_AAD) == SHARE
    assert kms.key_id == holder("gcp").kms_key


def test_a_newer_policy_needs_no_restart(world: World) -> None:
    kms = world.held()
    world.publish(release_policy(sequence=6, holders=(holder("aws"),)))
    world.now_ms += RELOAD_MS
    with pytest.raises(KmsDeniedError, match="release for gcp"):
        kms.wrap(SHARE, SHARE_AAD)


def test_an_older_or_unsigned_policy_leaves_the_previous_one_in_force(world: World) -> None:
    world.publish(release_policy(sequence=6))
    kms = world.held()
    forged = Ed25519Signer("admin", b"\x08" * 32)
    older = release_policy(holders=(holder("aws"),))
    for policy, signer in ((older, ADMIN), (older.model_copy(update={"sequence": 9}), forged)):
        world.publish(policy, signer)
        world.now_ms += RELOAD_MS
        assert kms.wrap(SHARE, SHARE_AAD)


def test_rollback_to_an_older_policy_is_refused_after_a_restart(world: World) -> None:
    world.publish(release_policy(sequence=6))
    world.held()
    world.publish(release_policy())
    with pytest.raises(SettingsError, match=r"release policy 5 .*\b6\b"):
        world.held()


def test_a_damaged_mark_is_not_a_first_start(world: World) -> None:
    world.held()
    (world.path / "mark").write_bytes(b"{}")
    with pytest.raises(SettingsError, match="damaged"):
        world.held()


def test_an_expired_policy_sends_no_request(world: World) -> None:
    kms = world.held()
    world.now_ms = release_policy().valid_until_ms
    before = list(world.releases["gcp"].records)
    with pytest.raises(KmsDeniedError, match="No release policy in force"):
        kms.unwrap(b"blob", SHARE_AAD)
    assert kms.key_id == holder("gcp").kms_key, "the error still names the key"
    assert world.releases["gcp"].records == before


def test_a_signer_with_releases_and_kms_credentials_is_refused(tmp_path: Path) -> None:
    refuse_own_kms(KmsSettings())
    with pytest.raises(SettingsError, match=r"\[kms\.local\].*\[releases\]"):
        refuse_own_kms(KmsSettings(local=LocalSection(root=tmp_path), insecure_dev=True))


def test_production_refuses_a_software_kms_and_a_simulated_platform_by_name(world: World) -> None:
    trust = settings(world.path, insecure_dev=False).trust()
    file = PolicyFile(world.path / "policy.json", world.path / "mark", trust, lambda: AT_MS)
    with pytest.raises(SettingsError, match="simulated"):
        file.load()
    evidence = release_policy().evidence.model_copy(update={"simulated_root": None})
    world.publish(release_policy(evidence=evidence))
    with pytest.raises(SettingsError, match="software KMS"):
        file.load()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://10.0.0.7:9440", "mutual TLS"),
        ("https://10.0.0.7:9440", "https .*tls"),
        ("ftp://127.0.0.1", "https://HOST:PORT"),
        ("http://127.0.0.1:1/v1", "https://HOST:PORT"),
    ],
)
def test_a_release_on_another_machine_needs_mutual_tls(tmp_path: Path, url: str, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        ReleaseAddress(url=url, token=tmp_path)


@pytest.mark.parametrize("in_the_way", [Path.mkdir, lambda mark: mark.symlink_to("nowhere")])
def test_a_policy_whose_mark_cannot_be_written_is_refused(
    tmp_path: Path, in_the_way: Callable[[Path], None]
) -> None:
    """Otherwise a restart could accept an older one."""
    world = World(tmp_path)
    world.publish(release_policy())
    held = world.held()
    assert held.unwrap(held.wrap(SHARE, SHARE_AAD), SHARE_AAD) == SHARE
    world.publish(release_policy(sequence=6, holders=(holder("aws"),)))
    (tmp_path / "mark").unlink()
    in_the_way(tmp_path / "mark")
    world.now_ms += RELOAD_MS
    assert held.unwrap(held.wrap(SHARE, SHARE_AAD), SHARE_AAD) == SHARE
    with pytest.raises(SettingsError, match="mark"):
        world.file().load()


def test_a_mark_without_a_folder_is_a_settings_error(tmp_path: Path) -> None:
    World(tmp_path).publish(release_policy())
    trust = settings(tmp_path).trust()
    file = PolicyFile(tmp_path / "policy.json", tmp_path / "no" / "mark", trust, lambda: AT_MS)
    with pytest.raises(SettingsError, match="No such file"):
        file.load()
