"""``sixgate kms check`` on three clouds' stand-ins, and on a folder's own root key."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.cloud.kms_v1 import ProtectionLevel

from tests.harness.broker.servers import watched
from tests.harness.cli.command_line import InProcess
from tests.harness.kms.faults import Fault
from tests.harness.kms.peers import Peers

CLOUDS = ["gcp", "aws", "azure"]


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peers]:
    folder = tmp_path_factory.mktemp("peers")
    with watched(folder), Peers(folder) as running:
        yield running


@pytest.fixture
def config(peers: Peers, tmp_path: Path) -> Path:
    file = tmp_path / "sixgate.toml"
    file.write_text(peers.settings())
    return file


def check(config: Path, *words: str) -> tuple[str, ...]:
    return ("kms", "check", "--config", str(config), *words)


def test_every_provider_shows_state_level_and_latency(config: Path) -> None:
    found = InProcess(None).ok(*check(config, "--json")).json
    assert [one["provider"] for one in found] == CLOUDS
    for one in found:
        assert (one["state"], one["protection"], one["failure"]) == ("enabled", "hsm", None)
        assert one["key_id"].startswith(f"{one['provider']}:")
        assert one["wrap_ms"] > 0 < one["unwrap_ms"]
    table = InProcess(None).ok(*check(config)).out
    assert [line.split()[::5] for line in table.splitlines() if " hsm " in line] == [
        [cloud, "ok"] for cloud in CLOUDS
    ]


def test_a_software_key_is_refused_without_insecure_dev(peers: Peers, config: Path) -> None:
    weak = peers.gcp.add_key("software", ProtectionLevel.SOFTWARE)
    config.write_text(peers.settings().replace(peers.gcp_key, weak))
    ended = InProcess(None).run(*check(config))
    assert ended.code == 11
    assert f"gcp:{weak}" in ended.sentence
    assert "software" in ended.sentence
    config.write_text("[kms]\ninsecure_dev = true\n" + config.read_text())
    assert "software" in InProcess(None).ok(*check(config)).out


def test_the_first_failure_is_reported_and_all_kms_are_checked(peers: Peers, config: Path) -> None:
    with peers.aws.faults.on(Fault.DENY), peers.azure.faults.on(Fault.THROTTLE):
        ended = InProcess(None).run(*check(config, "--json"))
    assert ended.code == 4
    assert f"aws:{peers.aws_key}" in ended.sentence
    assert "1 more" in ended.sentence
    assert [one["failure"] is None for one in json.loads(ended.out)] == [True, False, False]


@pytest.mark.parametrize(("change", "code"), [("disable", 7), ("destroy", 7), ("forget", 9)])
def test_a_key_that_cannot_be_used_has_its_code(
    peers: Peers, config: Path, change: str, code: int
) -> None:
    key = peers.gcp.add_key(change)
    config.write_text(peers.settings().replace(peers.gcp_key, key))
    getattr(peers.gcp, change)(key)
    ended = InProcess(None).run(*check(config))
    assert ended.code == code
    assert key in ended.sentence


def test_a_token_file_readable_by_others_is_refused(peers: Peers, config: Path) -> None:
    peers.azure.token_file.chmod(0o644)
    try:
        ended = InProcess(None).run(*check(config))
    finally:
        peers.azure.token_file.chmod(0o600)
    assert ended.code == 4
    assert "azure:" in ended.sentence


def test_settings_without_a_kms_are_wrong(tmp_path: Path) -> None:
    file = tmp_path / "sixgate.toml"
    file.write_text("[kms]\n")
    ended = InProcess(None).run(*check(file))
    assert ended.code == 2
    assert "[kms.gcp]" in ended.sentence


def test_without_settings_the_folders_root_key_is_checked(organisation: InProcess) -> None:
    (found,) = organisation.ok("kms", "check", "--json").json
    assert (found["provider"], found["protection"]) == ("local", "software")
    ended = InProcess(organisation.data / "nowhere").run("kms", "check")
    assert (ended.code, "sixgate init" in ended.sentence) == (5, True)


def test_a_missing_root_key_is_reported(organisation: InProcess, tmp_path: Path) -> None:
    lost = organisation.copy(tmp_path / "data")
    (lost.data / "keys" / "root.key").unlink()
    ended = lost.run("kms", "check")
    assert (ended.code, "root.key" in ended.sentence) == (7, True)


def test_importing_the_command_loads_no_kms_client() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, sixgate.cli.kms; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert "sixgate.cli.kms" in loaded
    sdks = {"boto3", "botocore", "grpc", "google.cloud", "azure.core", "msal"}
    assert (sdks | {"clickhouse_connect"}).isdisjoint(loaded)
