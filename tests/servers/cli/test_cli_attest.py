"""A customer's way: fetch evidence from a running signer, verify it offline, follow an outcome."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from signer.attestation.public_root import SIMULATED_ROOT
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
    """Serve a folder whose signer decided in two lives."""
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
    """Evidence as ``attest`` wrote it to a file, and what the command said."""

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


def test_the_default_policy_refuses_what_is_simulated_and_says_so(
    evidence: Fetched, tmp_path: Path
) -> None:
    words = ("attest", "verify", str(evidence.file), "--policy", policy(tmp_path, DEFAULT))
    ended = InProcess(None).run(*words, "--json")
    assert ended.code == ExitCode.NOT_ATTESTED
    assert (ended.json["verified"], ended.json["simulated"]) == (False, True)
    assert ended.json["code"] == "root_unpinned"


def test_who_asks_again_at_once_is_told_to_wait(running: InProcess) -> None:
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
def test_what_is_no_nonce_is_told(running: InProcess, wrong: str) -> None:
    ended = running.run("attest", "--nonce", wrong)
    assert (ended.code, "32 to 64" in ended.sentence) == (ExitCode.USAGE, True)


def test_no_nonce_at_all_is_told(running: InProcess, tmp_path: Path) -> None:
    ended = running.run("attest", "--out", str(tmp_path / "file"))
    assert (ended.code, "--nonce" in ended.sentence) == (ExitCode.USAGE, True)


def test_evidence_is_not_kept_among_the_folders_own_files(running: InProcess) -> None:
    ended = running.run("attest", "--nonce", nonce(), "--out", str(running.data / "evidence.json"))
    assert ended.code != 0
    assert not (running.data / "evidence.json").exists()


def test_every_life_that_decided_is_listed_once(running: InProcess) -> None:
    lives = running.ok("attest", "boots", "--json").json
    assert [life["signer"] for life in lives] == ["signer-0", "signer-0"]
    assert [life["simulated"] for life in lives] == [True, True]
    shown = running.ok("attest", "boots").out
    assert all(str(safe(life["boot"])) in shown for life in lives)


def test_an_outcome_leads_to_the_machine_that_decided_it(
    running: InProcess, tmp_path: Path
) -> None:
    believed, strict = policy(tmp_path, BELIEVING), tmp_path / "strict.json"
    strict.write_text(json.dumps(DEFAULT))
    file = tmp_path / "boot.json"
    newest, oldest = running.ok("intents", "list", "--json").json
    found = [
        running.ok("attest", "boot", one["intent"], "--policy", believed, "--json").json
        for one in (newest, oldest)
    ]
    lives = running.ok("attest", "boots", "--json").json
    assert [one["boot"] for one in found] == [life["boot"] for life in lives]
    words = ("attest", "boot", oldest["intent"][:12], "--policy")
    assert running.ok(*words, believed, "--out", str(file)).out.startswith("SIMULATED: ")
    boot = found[1]["boot"]
    kept = ("attest", "verify", str(file), "--policy", believed, "--nonce", boot)
    assert InProcess(None).run(*kept, "--purpose", "signer-boot").code == 0
    assert "(report_data_mismatch)" in InProcess(None).run(*kept).sentence
    ended = running.run(*words, str(strict))
    assert (ended.code, "simulated" in ended.sentence) == (14, True)


def test_an_intent_that_nobody_knows_is_told(running: InProcess, tmp_path: Path) -> None:
    ended = running.run("attest", "boot", "0xffff", "--policy", policy(tmp_path, BELIEVING))
    assert ended.code == ExitCode.NOT_FOUND
