"""A customer's way: fetch evidence from a running signer, verify it offline, follow an outcome."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from signer.attestation.public_root import SIMULATED_ROOT
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.terminal import safe
from tests.harness.cli.command_line import CommandLine, Ended, served, until
from tests.servers.cli.test_cli_submit import INTENT

DEFAULT: dict[str, Any] = {"measurements": "any"}
BELIEVING = DEFAULT | {"simulated_root": SIMULATED_ROOT}


@pytest.fixture(scope="module")
def running(
    organisation: CommandLine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CommandLine]:
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


def fetched(cli: CommandLine, *words: str) -> Ended:
    """Ask until the signer, which makes one report in two seconds, has time."""
    ended: list[Ended] = []

    def asked() -> bool:
        ended.append(cli.run("attest", *words))
        return "attestation_busy" not in ended[-1].err and ended[-1].code != ExitCode.UNREACHABLE

    until(asked)
    return ended[-1]


def test_evidence_is_fetched_and_verifies_for_its_nonce_alone(
    running: CommandLine, tmp_path: Path
) -> None:
    mine, file = nonce(), tmp_path / "evidence.json"
    ended = fetched(running, "--nonce", mine, "--out", str(file))
    assert ended.code == 0, ended.err
    assert ended.err.startswith("SIMULATED: ")
    words = ("attest", "verify", str(file), "--policy", policy(tmp_path, BELIEVING))
    nowhere = CommandLine(None)
    assert nowhere.run(*words, "--nonce", mine).out.startswith("SIMULATED: ")
    wrong = nowhere.run(*words, "--nonce", nonce())
    assert (wrong.code, "(report_data_mismatch)" in wrong.sentence) == (14, True)


def test_the_default_policy_refuses_what_is_simulated_and_says_so(
    running: CommandLine, tmp_path: Path
) -> None:
    mine, file = nonce(), tmp_path / "evidence.json"
    file.write_text(fetched(running, "--nonce", mine).out)
    strict = policy(tmp_path, DEFAULT)
    ended = CommandLine(None).run("attest", "verify", str(file), "--policy", strict, "--json")
    assert ended.code == ExitCode.NOT_ATTESTED
    assert (ended.json["verified"], ended.json["simulated"]) == (False, True)
    assert ended.json["code"] == "root_unpinned"


def test_who_asks_again_at_once_is_told_to_wait(running: CommandLine) -> None:
    ended: list[Ended] = []

    def refused() -> bool:
        ended.append(running.run("attest", "--nonce", nonce()))
        return ended[-1].code != 0

    assert fetched(running, "--nonce", nonce()).code == 0
    until(refused)  # a busy machine may let the two seconds pass
    assert ended[-1].code == ExitCode.UNREACHABLE
    assert "one report in 2 s" in ended[-1].sentence


@pytest.mark.parametrize("wrong", ["", "0x00", "ab" * 65, "xyz", "0x" + "g" * 64])
def test_what_is_no_nonce_is_told(running: CommandLine, wrong: str) -> None:
    ended = running.run("attest", "--nonce", wrong)
    assert (ended.code, "32 to 64 bytes" in ended.sentence) == (ExitCode.USAGE, True)


def test_no_nonce_at_all_is_told(running: CommandLine, tmp_path: Path) -> None:
    ended = running.run("attest", "--out", str(tmp_path / "file"))
    assert (ended.code, "--nonce HEX" in ended.sentence) == (ExitCode.USAGE, True)


def test_evidence_is_not_kept_among_the_folders_own_files(running: CommandLine) -> None:
    ended = running.run("attest", "--nonce", nonce(), "--out", str(running.data / "evidence.json"))
    assert ended.code != 0
    assert not (running.data / "evidence.json").exists()


def test_every_life_that_decided_is_listed_once(running: CommandLine) -> None:
    lives = running.ok("attest", "boots", "--json").json
    assert [life["signer"] for life in lives] == ["signer-0", "signer-0"]
    assert [life["simulated"] for life in lives] == [True, True]
    shown = running.ok("attest", "boots").out
    assert all(str(safe(life["boot"])) in shown for life in lives)


def test_an_outcome_leads_to_the_machine_that_decided_it(
    running: CommandLine, tmp_path: Path
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
    assert CommandLine(None).run(*kept, "--purpose", "signer-boot").code == 0
    assert "(report_data_mismatch)" in CommandLine(None).run(*kept).sentence
    ended = running.run(*words, str(strict))
    assert (ended.code, "calls itself simulated" in ended.sentence) == (14, True)


def test_an_intent_that_nobody_knows_is_told(running: CommandLine, tmp_path: Path) -> None:
    ended = running.run("attest", "boot", "0xffff", "--policy", policy(tmp_path, BELIEVING))
    assert ended.code == ExitCode.NOT_FOUND
