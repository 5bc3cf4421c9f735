"""Attestation commands: fetch evidence, verify it offline, verify the boot of an outcome."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from signer.attestation.verify.policy import SIMULATED_ROOT
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.terminal import safe
from tests.harness.builders.waiting import until
from tests.harness.cli.command_line import Ended, InProcess, served
from tests.harness.cli.intents import INTENT

DEFAULT: dict[str, Any] = {"measurements": "any"}
BELIEVING = DEFAULT | {"simulated_root": SIMULATED_ROOT}


@pytest.fixture(scope="module")
def running(
    organisation: InProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[InProcess]:
    """Serve a folder whose signer decided in two boots."""
    cli = organisation.copy(tmp_path_factory.mktemp("attested") / "data")
    cli.submit(INTENT)
    with served(cli) as at_work:
        at_work.submit(INTENT | {"value": "5"})
        yield at_work


def nonce() -> str:
    return f"0x{secrets.token_hex(32)}"


def policy(folder: Path, content: dict[str, Any]) -> str:
    file = folder / "policy.json"
    file.write_text(json.dumps(content))
    return str(file)


@dataclass(frozen=True)
class Fetched:
    """Evidence as ``attest`` wrote it to a file, and the command's output."""

    nonce: str
    file: Path
    ended: Ended


@pytest.fixture(scope="module")
def evidence(running: InProcess, tmp_path_factory: pytest.TempPathFactory) -> Fetched:
    """Fetch evidence once: the signer makes one report in two seconds."""
    mine, file = nonce(), tmp_path_factory.mktemp("evidence") / "evidence.json"
    ended: list[Ended] = []

    def answered() -> bool:
        ended.append(running.run("attest", "--nonce", mine, "--out", str(file)))
        return ended[-1].code != ExitCode.UNREACHABLE

    until(answered)
    assert ended[-1].code == 0, ended[-1].err
    return Fetched(mine, file, ended[-1])


def test_evidence_is_fetched_and_verifies_for_its_nonce_alone(
    evidence: Fetched, tmp_path: Path
) -> None:
    assert evidence.ended.err.startswith("SIMULATED: ")
    words = ("attest", "verify", str(evidence.file), "--policy", policy(tmp_path, BELIEVING))
    nowhere = InProcess(None)
    assert nowhere.run(*words, "--nonce", evidence.nonce).out.startswith("SIMULATED: ")
    wrong = nowhere.run(*words, "--nonce", nonce())
    assert (wrong.code, "(report_data_mismatch)" in wrong.sentence) == (14, True)


def test_the_default_policy_refuses_simulated_evidence(evidence: Fetched, tmp_path: Path) -> None:
    words = ("attest", "verify", str(evidence.file), "--policy", policy(tmp_path, DEFAULT))
    ended = InProcess(None).run(*words, "--json")
    assert ended.code == ExitCode.NOT_ATTESTED
    assert (ended.json["verified"], ended.json["simulated"]) == (False, True)
    assert ended.json["code"] == "root_unpinned"


def test_attestation_is_rate_limited(running: InProcess) -> None:
    ended: list[Ended] = []

    def answered_and_refused() -> bool:
        ended.append(running.run("attest", "--nonce", nonce()))
        return {0, ExitCode.UNREACHABLE} <= {one.code for one in ended}

    until(answered_and_refused)  # in either order: a busy machine may let the two seconds pass
    (answered, *_) = (one for one in ended if one.code == 0)
    (refused, *_) = (one for one in ended if one.code != 0)
    assert "report" in answered.out
    assert "2 s" in refused.sentence


@pytest.mark.parametrize("wrong", ["", "0x00", "ab" * 65, "xyz", "0x" + "g" * 64])
def test_an_invalid_nonce_is_refused(running: InProcess, wrong: str) -> None:
    ended = running.run("attest", "--nonce", wrong)
    assert (ended.code, "32 to 64" in ended.sentence) == (ExitCode.USAGE, True)


def test_a_missing_nonce_is_refused(running: InProcess, tmp_path: Path) -> None:
    ended = running.run("attest", "--out", str(tmp_path / "file"))
    assert (ended.code, "--nonce" in ended.sentence) == (ExitCode.USAGE, True)


def test_evidence_is_not_written_into_the_data_folder(running: InProcess) -> None:
    ended = running.run("attest", "--nonce", nonce(), "--out", str(running.data / "evidence.json"))
    assert ended.code != 0
    assert not (running.data / "evidence.json").exists()


def test_every_boot_that_decided_is_listed_once(running: InProcess) -> None:
    boots = running.ok("attest", "boots", "--json").json
    assert [boot["signer"] for boot in boots] == ["signer-0", "signer-0"]
    assert [boot["simulated"] for boot in boots] == [True, True]
    shown = running.ok("attest", "boots").out
    assert all(str(safe(boot["boot"])) in shown for boot in boots)


def test_the_deciding_boot_of_an_outcome_is_verified(running: InProcess, tmp_path: Path) -> None:
    believed, strict = policy(tmp_path, BELIEVING), tmp_path / "strict.json"
    strict.write_text(json.dumps(DEFAULT))
    file = tmp_path / "boot.json"
    newest, oldest = running.ok("intents", "list", "--json").json
    found = [
        running.ok("attest", "boot", one["intent"], "--policy", believed, "--json").json
        for one in (newest, oldest)
    ]
    boots = running.ok("attest", "boots", "--json").json
    assert [one["boot"] for one in found] == [boot["boot"] for boot in boots]
    words = ("attest", "boot", oldest["intent"][:12], "--policy")
    assert running.ok(*words, believed, "--out", str(file)).out.startswith("SIMULATED: ")
    boot = found[1]["boot"]
    kept = ("attest", "verify", str(file), "--policy", believed, "--nonce", boot)
    assert InProcess(None).run(*kept, "--purpose", "signer-boot").code == 0
    assert "(report_data_mismatch)" in InProcess(None).run(*kept).sentence
    ended = running.run(*words, str(strict))
    assert (ended.code, "simulated" in ended.sentence) == (14, True)


def test_an_unknown_intent_is_refused(running: InProcess, tmp_path: Path) -> None:
    ended = running.run("attest", "boot", "0xffff", "--policy", policy(tmp_path, BELIEVING))
    assert ended.code == ExitCode.NOT_FOUND
