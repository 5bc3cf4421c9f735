"""The signer's pipeline with stand-ins of three clouds, under production settings."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.cloud.kms_v1 import ProtectionLevel

from schemas.registry.custody import CustodyMode
from signer.custody.custody_modes import PLANS
from sixgate.config.kms import KmsSettings
from sixgate.config.process_settings import load_settings
from tests.harness.broker.servers import watched
from tests.harness.judge.promises import check, in_folder
from tests.harness.kms.faults import Fault
from tests.harness.kms.peers import Peers
from tests.harness.pipeline.custody_organisation import (
    MODES,
    CustodyOrganisation,
    make_custody_organisation,
)
from tests.harness.pipeline.custody_pipeline import ask_all, send
from tests.harness.pipeline.embedded import open_pipeline


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peers]:
    folder = tmp_path_factory.mktemp("peers")
    with watched(folder), Peers(folder) as running:
        yield running


@pytest.fixture
def organised(tmp_path: Path) -> CustodyOrganisation:
    return make_custody_organisation(tmp_path / "data")


def settings(tmp_path: Path, text: str) -> KmsSettings:
    file = tmp_path / "sixgate.toml"
    file.write_text('[kms]\nroot = "gcp"\n' + text)
    return load_settings(file).kms


def lived(organised: CustodyOrganisation, kms: KmsSettings, key: str) -> dict[CustodyMode, str]:
    """Run the signer once: execute the orders, then send one intent per mode."""
    pipeline = open_pipeline(organised.folder, kms=kms)
    try:
        pipeline.drain()
        return ask_all(organised, pipeline, key)
    finally:
        pipeline.close()


def ordered(organised: CustodyOrganisation, kms: KmsSettings) -> list[str]:
    pipeline = open_pipeline(organised.folder, kms=kms)
    try:
        send(pipeline, *organised.orders())
        return pipeline.audits()
    finally:
        pipeline.close()


def test_every_mode_signs_with_three_clouds_and_survives_the_promised_outages(
    peers: Peers, organised: CustodyOrganisation, tmp_path: Path
) -> None:
    kms = settings(tmp_path, peers.settings())
    assert "key.refused" not in ordered(organised, kms)
    assert set(lived(organised, kms, "all-up").values()) == {"signed"}
    for fault in (Fault.DENY, Fault.HANG, Fault.OTHER_PLAINTEXT):
        with peers.aws.faults.on(fault):
            assert set(lived(organised, kms, f"aws-{fault}").values()) == {"signed"}
    with peers.aws.faults.on(Fault.DENY), peers.azure.faults.on(Fault.DENY):
        assert lived(organised, kms, "two-deny") == {
            mode: "key_unavailable" if PLANS[mode].providers == 3 else "signed" for mode in MODES
        }
    check(in_folder(organised.folder.path), settled=True)


def test_a_provider_with_a_key_outside_an_hsm_gets_no_share(
    peers: Peers, organised: CustodyOrganisation, tmp_path: Path
) -> None:
    weak = peers.gcp.add_key("software-holder", ProtectionLevel.SOFTWARE)
    kms = settings(tmp_path, peers.settings().replace(peers.gcp_key, weak))
    refused = ordered(organised, kms)
    orders = len(list(organised.orders()))
    assert refused.count("key.refused") + refused.count("recovery.refused") == orders
