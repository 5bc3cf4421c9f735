"""A signer without a KMS: it attests itself, and three releases hold its keys."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.keys.boot import SignerBoot, start_id
from schemas.keys.release import ReleaseGranted
from schemas.record import Outgoing
from schemas.registry.records import VaultCreated
from schemas.topics import Topic
from signer.attestation.verify.policy import SIMULATED_ROOT
from sixgate.cli.exit_codes import ExitCode
from sixgate.config.process_settings import load_settings
from sixgate.data_folder.signer_files import SIGNER
from sixgate.operate.reseal import reseal
from tests.harness.builders.release import ADMIN, ORG
from tests.harness.cli.forked import ForkedCommandLine
from tests.harness.judge.promises import check
from tests.harness.kms.peers import Peers
from tests.harness.pipeline.embedded import ACCOUNT, KEY_PATH, Producer, agent_entry, key_order
from tests.harness.pipeline.release_process import Releasing, releasing, token
from tests.harness.pipeline.scaled import Scaled, all_ended, on_kafka

PROVIDERS = ("gcp", "aws", "azure")
WALLET, TREASURY = "wallets/hot", "__treasury-keys"


@pytest.fixture
def releases(scaled: Scaled, tmp_path: Path, peers: Peers) -> Iterator[Releasing]:
    """Run three releases with a policy that accepts the simulated platform."""
    with releasing(tmp_path / "releases", scaled.broker, peers, partitions=None) as found:
        found.set_up(*PROVIDERS)
        gcp = found.holders["gcp"]
        held = {"vault_keys": True, "identities": (SIGNER,)}
        found.holders["gcp"] = gcp.model_copy(update=held)
        evidence = found.policy().evidence.model_copy(update={"simulated_root": SIMULATED_ROOT})
        found.publish(found.policy(evidence=evidence, configurations="any"))
        for provider in PROVIDERS:
            found.start(provider)
            (found.path / f"{provider}.token").write_bytes(token(provider))
        yield found


def section(here: Releasing) -> str:
    """Return a signer's settings for the releases."""
    text = (
        f'[releases]\norg = "{ORG}"\npolicy = "{here.policy_file}"\nroot = "gcp"\n'
        f'admins = ["{ADMIN.public_key}"]\ninsecure_dev = true\n'
    )
    for provider in PROVIDERS:
        text += f'[releases.at.{provider}]\nurl = "http://127.0.0.1:{here.ports[provider]}"\n'
        text += f'token = "{here.path}/{provider}.token"\n'
    return text


def move_the_identity(scaled: Scaled, here: Releasing, file: Path) -> None:
    """Reseal the signer's identity under a release's root key, and remove its former root key."""
    attested = '[attestation]\nplatform = "simulated"\ninsecure_dev = true\n'
    file.write_text(f'data = "{scaled.folder.path}"\n{attested}{section(here)}')
    moved = reseal(load_settings(file))
    assert moved.sealed.root == here.holders["gcp"].kms_key
    scaled.folder.root_key.unlink()


def starts(scaled: Scaled) -> set[str]:
    """Return the start ids of all recorded boots."""
    boots = on_kafka(scaled.broker)(Topic.BOOTS)
    return {start_id(SignerBoot.decode(boot).facts.unique) for boot in boots}


def order_a_wallet(scaled: Scaled, trader: Producer) -> None:
    """Order a key for the account, with one share at each of three providers."""
    scaled.register(VaultCreated(account=ACCOUNT, vault=TREASURY, mode="2of3_multi_hsm"))
    scaled.register(agent_entry(trader.signer, key_paths=(KEY_PATH, WALLET)))
    scaled.send([key_order(scaled.folder, path=WALLET, vault=TREASURY)])


def test_a_signer_without_a_kms_signs_with_keys_that_releases_hold(
    scaled: Scaled, releases: Releasing, trader: Producer, tmp_path: Path
) -> None:
    move_the_identity(scaled, releases, tmp_path / "reseal.toml")
    order_a_wallet(scaled, trader)
    scaled.more["signer"] = section(releases)
    for name in ("signer", "gates"):
        scaled.start(name)
        scaled.await_ready(name)
    submitted = [trader.signed("agent's"), trader.signed("wallet's", key_path=WALLET)]
    scaled.send([Outgoing(Topic.SUBMITTED, ACCOUNT, value) for value in submitted])
    scaled.settle(all_ended)
    found = check(on_kafka(scaled.broker), settled=True)
    assert [outcome["type"] for outcome in found.outcomes] == ["transaction.signed"] * 2
    granted = releases.records()
    assert all(isinstance(one, ReleaseGranted) for one in granted), granted
    assert {one.provider for one in granted} == set(PROVIDERS)
    asked = [one.boot for one in granted if isinstance(one, ReleaseGranted)]
    boots = {outcome["boot"] for outcome in found.outcomes}
    sealing, proving, opening, *rest = asked
    assert sealing == proving != opening
    assert {opening} == starts(scaled)
    assert set(rest) == boots

    releases.kill("azure")  # any two of three are enough
    scaled.kill("signer")
    scaled.start("signer")
    again = trader.signed("after", key_path=WALLET)
    scaled.send([Outgoing(Topic.SUBMITTED, ACCOUNT, again)])
    scaled.settle(all_ended)
    found = check(on_kafka(scaled.broker), settled=True)
    assert found.outcomes[-1]["type"] == "transaction.signed"


def test_production_refuses_a_software_identity(scaled: Scaled, tmp_path: Path) -> None:
    root = tmp_path / "root.toml"
    root.write_text(
        f'data = "{scaled.folder.path}"\n[kafka]\ninsecure_dev = true\n'
        '[kms]\nroot = "aws"\n[kms.aws]\nkey = "01234567-89ab-cdef-0123-456789abcdef"\n'
        'region = "eu-central-2"\n'
    )
    ended = ForkedCommandLine(None).run("signer", "--config", str(root))
    assert ended.code == ExitCode.USAGE
    assert "sixgate services reseal" in ended.sentence


def test_a_signer_with_releases_and_kms_credentials_does_not_start(
    scaled: Scaled, tmp_path: Path, peers: Peers
) -> None:
    with releasing(tmp_path / "releases", scaled.broker, peers, partitions=None) as here:
        here.ports = dict.fromkeys(PROVIDERS, 1)
        scaled.more["signer"] = section(here) + here.kms("aws")
        assert scaled.run_to_end("signer") == ExitCode.USAGE
        log = scaled.log("signer")
        assert "must not have KMS credentials" in log
        assert "[kms.aws]" in log
