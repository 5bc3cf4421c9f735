"""Boots of an embedded signer: every outcome leads to the boot that decided it."""

import base64
import re
import secrets
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.keys.boot import SignerBoot
from schemas.topics import Topic
from signer.attestation.verify.boot_check import ExpectedSigner, check_boot
from signer.attestation.verify.policy import SIMULATED_ROOT, VerificationPolicy
from signer.custody.event_signing import Ed25519Signer
from sixgate.clocks import wall_ms
from sixgate.data_folder.folder import Folder
from sixgate.fatal_errors import FATAL_ERRORS
from sixgate.services.embedded.node import Node, running
from tests.harness.builders.attestation import repository_page
from tests.harness.judge.promises import Json, check, in_folder
from tests.harness.pipeline.embedded import ACCOUNT, Producer, make_folder, open_pipeline

BELIEVING = VerificationPolicy(measurements="any", simulated_root=SIMULATED_ROOT)


@pytest.fixture
def trader() -> Producer:
    return Producer(Ed25519Signer("trader", secrets.token_bytes(32)))


@pytest.fixture
def folder(tmp_path: Path, trader: Producer) -> Folder:
    """Make a folder of a version without attestation, with one outcome."""
    folder = make_folder(tmp_path / "data", [trader.signer])
    pipeline = open_pipeline(folder)
    pipeline.submit(trader.signed("before"))
    pipeline.drain()
    pipeline.close()
    return folder


def submit(node: Node, *values: bytes) -> list[Json]:
    records = [{"key": ACCOUNT, "value": base64.b64encode(value).decode()} for value in values]
    return [item["result"] for item in node.submit(records, wait=True) if "result" in item]


def boots(folder: Folder) -> list[Any]:
    return [orjson.loads(raw) for raw in in_folder(folder.path)(Topic.BOOTS)]


def test_a_folder_of_an_older_version_opens_with_unchanged_outcomes(
    folder: Folder, trader: Producer
) -> None:
    before = in_folder(folder.path)(Topic.OUTCOMES)
    with running(folder) as node:
        (ended,) = submit(node, trader.signed("after"))
        *_, last = node.verify(head=None)
    outcomes = in_folder(folder.path)(Topic.OUTCOMES)
    assert outcomes[:1] == before
    assert b'"boot"' not in outcomes[0]
    assert [boot["id"] for boot in boots(folder)] == [ended["boot"]]
    assert (last["verified"]["outcomes"], last["verified"]["forged"]) == (2, 0)
    check(in_folder(folder.path), settled=True)


def test_a_record_is_written_once_per_boot_and_only_with_a_decision(
    folder: Folder, trader: Producer
) -> None:
    with running(folder) as node:
        first = submit(node, trader.signed("a"))[0]["boot"]
        assert submit(node, trader.signed("b"))[0]["boot"] == first
    with running(folder) as node:
        node.pipeline.settle()
    assert [boot["id"] for boot in boots(folder)] == [first]
    with running(folder) as node:
        second = submit(node, trader.signed("c"))[0]["boot"]
    assert [boot["id"] for boot in boots(folder)] == [first, second]


def test_a_duplicate_keeps_the_boot_that_decided_it(folder: Folder, trader: Producer) -> None:
    sent = trader.signed("a")
    with running(folder) as node:
        first = submit(node, sent)
    with running(folder) as node:
        assert submit(node, sent)[0]["boot"] == first[0]["boot"]
    assert len(boots(folder)) == 1


def test_the_documented_query_leads_from_an_outcome_to_valid_evidence(
    folder: Folder, trader: Producer
) -> None:
    (query,) = re.findall(r"(?s)```sql\n(.*?)\n```", repository_page("attestation.md"))
    with running(folder) as node:
        (ended,) = submit(node, trader.signed("a"))
        found = node.sql(query.replace("0x…", ended["intent"]))
        services = node.registry()["services"]
    ((intent, body),) = found["rows"]
    (key,) = (one["public_key"] for one in services if one["role"] == "signer")
    record = SignerBoot.decode(body.encode())
    assert (intent, record.id) == (ended["intent"], ended["boot"])
    named = ExpectedSigner(record.facts.org, record.facts.signer, [key])
    assert check_boot(record, named, BELIEVING, wall_ms()).simulated
    assert record.facts.registry_sequence > 0


def test_a_folder_does_not_open_without_its_platform(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIXGATE_ATTESTATION__PLATFORM", "sev-guest")
    with pytest.raises(FATAL_ERRORS, match="/dev/sev-guest"), running(folder):
        pass
    monkeypatch.delenv("SIXGATE_ATTESTATION__PLATFORM")
    with running(folder) as node:
        node.pipeline.settle()
