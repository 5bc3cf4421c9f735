"""Output: help, JSON, closed pipes and full disks."""

import os
import subprocess
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

import sixgate
from sixgate.cli.app import app
from tests.harness.cli.command_line import COMMAND, CommandLine, InProcess, served
from tests.harness.cli.intents import INTENT

PAGE = Path(sixgate.__file__).parents[1] / "docs" / "cli.md"


def commands(command: object, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield words
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*words, name))


ALL = list(commands(app))


def shell(cli: CommandLine, script: str) -> "subprocess.CompletedProcess[str]":
    whole = f'set -eu\nsixgate() {{ "{COMMAND[0]}" -m sixgate "$@"; }}\n{script}'
    return subprocess.run(
        ["/bin/bash", "-c", whole],
        capture_output=True,
        text=True,
        env=cli.environment,
        timeout=120,
        check=False,
    )


def run_program(program: str, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [COMMAND[0], "-c", program],
        capture_output=True, text=True, env=environment, check=False, timeout=60,
    )  # fmt: skip


@pytest.fixture(scope="module")
def node(organisation: InProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    """Serve one folder to the processes of these tests, which then need not start an engine."""
    with served(organisation.copy(tmp_path_factory.mktemp("output") / "data")) as running:
        yield running


def test_the_set_of_commands_is_complete() -> None:
    wanted = """init up submit signed demo agents keys intents ledger chains settings
    agents-add agents-show agents-update agents-deactivate agents-list keys-provision keys-rotate
    keys-deactivate keys-import keys-list keys-seal-share kms kms-check
    intents-list intents-show ledger-verify ledger-head ledger-sql ledger-export chains-list
    chains-add chains-update chains-remove settings-get settings-set
    tx tx-sign tx-decode message message-sign typed-data typed-data-sign authorization
    authorization-sign services-add services-deactivate services-reseal
    registrar services gates signer probe config publish ledger-run ledger-migrate
    topics topics-plan topics-apply topics-verify attest attest-verify
    attest-boots attest-boot release release-keys release-policy
    vaults vaults-create vaults-list vaults-show vaults-set-mode vaults-rotate-key
    vaults-backup vaults-restore vaults-recover custody gateway desk
    secrets secrets-put secrets-get secrets-list secrets-rotate secrets-history
    cmek cmek-enrol cmek-rotate
    admins admins-add admins-list admins-remove mcp people people-add people-bind
    people-list people-unbind people-deactivate
    access access-grant access-deny access-revoke access-list"""
    assert {"-".join(words) for words in ALL} - {""} == set(wanted.split())


@pytest.mark.parametrize("words", ALL, ids="-".join)
def test_every_help_has_an_example(words: tuple[str, ...]) -> None:
    command: Any = app
    for word in words:
        command = command.commands[word]
    path = " ".join(("sixgate", *words))
    assert all("sixgate" in line for line in command.examples(path))
    assert command.examples(path)
    assert command.help
    documented = all(getattr(option, "help", "") for option in command.params)
    assert documented or hasattr(command, "commands")


def test_help_is_shown_without_loading_the_engine() -> None:
    probe = (
        "import sys, sixgate.cli.app\n"
        "assert 'chdb' not in sys.modules, 'help would wait for the engine'\n"
    )
    subprocess.run([COMMAND[0], "-c", probe], check=True, timeout=60)
    done = subprocess.run(
        [*COMMAND, "--help"], capture_output=True, text=True, check=True, timeout=60
    )
    assert "sixgate demo" in done.stdout


def test_a_shell_completes_commands_and_options() -> None:
    for words, last, known in (("sixgate ag", 1, "plain,agents"), ("sixgate up --h", 2, "--http")):
        asked = {"_SIXGATE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(last)}
        done = subprocess.run(
            COMMAND, capture_output=True, text=True, env=os.environ | asked, check=True, timeout=60
        )
        assert known in done.stdout


def test_the_version_is_printed() -> None:
    done = subprocess.run([*COMMAND, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"sixgate {version('sixgate')}\n"


@pytest.mark.parametrize("loading", ["sixgate.cli.app", "click", "pydantic", "chdb"])
def test_ctrl_c_while_anything_is_loaded_is_no_traceback(cli: InProcess, loading: str) -> None:
    probe = (
        "import os, signal, sys\n"
        "class Finger:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {loading!r}:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finger())\n"
        "from sixgate.cli import main\n"
        "sys.argv = ['sixgate', 'keys', 'list']\n"
        "main()\n"
    )
    done = run_program(probe, cli.environment)
    assert done.returncode == 130, done.stderr
    assert done.stderr.startswith("Error: interrupted")
    assert "Traceback" not in done.stderr


def test_settings_are_printed_on_lines_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "sixgate.toml"
    file.write_text('[kafka]\nservers = "127.0.0.1:9"\ninsecure_dev = true\n')
    ended = CommandLine(None).ok("config", "--config", str(file))
    assert ended.json["kafka"]["servers"] == "127.0.0.1:9"
    assert '    "servers": "127.0.0.1:9",' in ended.out.splitlines()


def test_results_and_notices_go_to_different_places(node: InProcess) -> None:
    ended = node.ok("keys", "provision", "keys/base-signer", "--account", "treasury")
    assert ended.out.strip().startswith("0x")
    assert len(ended.out.strip()) == 42
    assert "keys/base-signer" in ended.err
    assert "treasury" in ended.err


def test_a_closed_pipe_prints_no_error(node: InProcess) -> None:
    node.submit(*[INTENT | {"value": "0.001"}] * 300)  # many times what a pipe holds
    for words in ("signed --json", "signed"):
        done = shell(node, f"sixgate {words} | head -1; echo ${{PIPESTATUS[0]}} >&2")
        assert done.stderr.strip() == "141"
        assert "payroll" in done.stdout or "treasury" in done.stdout


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("sixgate chains list > /dev/full", 5),
        ("sixgate chains list --json > /dev/full", 5),
        ("sixgate --help > /dev/full", 5),
        ("sixgate chains list >&-", 0),
        ("sixgate chains list --json >&-", 0),
        ("sixgate submit - <&-", 2),
        ("sixgate agents show ghost 2>&-", 9),
        ("PYTHONIOENCODING=ascii sixgate demo --data demo-in-ascii", 0),
    ],
)
def test_bad_streams_end_in_a_code_and_never_in_a_traceback(
    node: InProcess, script: str, code: int
) -> None:
    done = shell(node, f"cd {node.data.parent}\n{script}")
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_the_pages_first_steps_work(tmp_path: Path) -> None:
    steps = PAGE.read_text().split("```sh\n")[1].split("```")[0]
    assert "sixgate submit -" in steps
    done = shell(CommandLine(tmp_path / "data"), steps)
    assert done.returncode == 0, done.stderr
    assert "1 of 1 " in done.stderr


def test_a_defect_shows_where_it_is_only_when_asked(node: InProcess) -> None:
    probe = (
        "import sys, sixgate.cli.session as s, sixgate.cli.app as a\n"
        "s.Session.registry = property(lambda self: 1 / 0)\n"
        "sys.argv = ['sixgate', 'agents', 'list']\n"
        "a.main()\n"
    )
    quiet = run_program(probe, node.environment)
    assert quiet.returncode == 1
    assert "ZeroDivisionError" in quiet.stderr
    assert "SIXGATE_TRACEBACK=1" in quiet.stderr
    assert "Traceback" not in quiet.stderr
    loud = run_program(probe, node.environment | {"SIXGATE_TRACEBACK": "1"})
    assert "Traceback" in loud.stderr
