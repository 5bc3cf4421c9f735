"""Every error ends as one sentence and a documented code, never a traceback or a secret."""

import ast
import errno
import os
import sys
from importlib import import_module
from pathlib import Path

import pytest

import sixgate
from schemas.strict_json import JsonError
from signer.custody.errors import RootFileError
from signer.stage.stage import HaltError
from signer.stage.state import StateRollbackError
from sixgate.api import ApiError
from sixgate.api.errors import api_error
from sixgate.authoring.intent_form import IntentFormError
from sixgate.cli import failures
from sixgate.cli.app import run
from sixgate.cli.exit_codes import OF_EXCEPTIONS, CommandError, ExitCode
from sixgate.cli.failures import API_CODES, OutputClosedError, failure_of
from sixgate.data_folder.folder import FolderBusyError
from sixgate.data_folder.key_files import KeyFileError
from sixgate.data_folder.signer_files import FolderError
from sixgate.fatal_errors import FATAL_ERRORS
from sixgate.services.gates import IO_FAILED
from streams.kafka.errors import (
    KafkaBusError,
    KafkaFencedError,
    KafkaGapError,
    denied,
    missing,
    no_registry,
)
from streams.ledger.errors import (
    LedgerBusyError,
    LedgerGapError,
    LedgerUnavailableError,
    LedgerVerificationError,
)
from streams.log.errors import LogDamagedError, LogWriteError
from streams.runners.clock import ClockError
from streams.simulators.genesis import GenesisError

PACKAGE = Path(sixgate.__file__).parent
CLI = PACKAGE / "cli"
DOCS = PACKAGE.parent / "docs" / "cli.md"
ADVICE = {
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "check the path",
    errno.EISDIR: "choose a file in it",
    errno.EACCES: "user with permission",
    errno.EPERM: "user with permission",
    errno.EROFS: "another path",
    errno.EEXIST: "another file",
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EMFILE: "ulimit -n",
}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FolderBusyError("s"), ExitCode.UNREACHABLE),
        (FolderError("s"), ExitCode.FOLDER),
        (KeyFileError("s"), ExitCode.FOLDER),
        (LedgerBusyError("s"), ExitCode.UNREACHABLE),
        (LedgerUnavailableError("s"), ExitCode.HALTED),
        (LedgerGapError("s"), ExitCode.HALTED),
        (LogDamagedError("s"), ExitCode.HALTED),
        (LogWriteError("s"), ExitCode.HALTED),
        (StateRollbackError("s"), ExitCode.HALTED),
        (HaltError("s"), ExitCode.HALTED),
        (ClockError("s"), ExitCode.HALTED),
        (RootFileError("s"), ExitCode.HALTED),
        (GenesisError("s"), ExitCode.HALTED),
        (JsonError("s"), ExitCode.USAGE),
        (ApiError("registry_refused", "s"), ExitCode.REFUSED),
        (ApiError("ledger_wrong", "s"), ExitCode.LEDGER_WRONG),
        (ApiError("never heard of", "s"), ExitCode.INTERNAL),
        (CommandError(ExitCode.NOT_FOUND, "s"), ExitCode.NOT_FOUND),
    ],
)
def test_a_known_error_keeps_its_sentence_and_has_its_code(
    error: BaseException, code: ExitCode
) -> None:
    assert (failure_of(error).code, failure_of(error).sentence) == (code, "s")


@pytest.mark.parametrize(
    "error",
    [
        missing("registry", "sixgate topics apply"),
        denied("reading", "sixgate topics verify --acls"),
        no_registry(),
        KafkaGapError("s"),
    ],
    ids=repr,
)
def test_a_bus_error_behind_the_api_fails_like_one_in_a_process(error: KafkaBusError) -> None:
    assert failure_of(api_error(error)) == failure_of(error)


def test_verification_and_form_errors_keep_their_facts() -> None:
    fault = failure_of(LedgerVerificationError(7, "its hash is wrong"))
    assert fault.code is ExitCode.LEDGER_WRONG
    assert "7" in fault.sentence
    assert "its hash is wrong" in fault.sentence
    wrong = failure_of(IntentFormError([("to", "is missing")]))
    assert (wrong.code, wrong.sentence) == (ExitCode.USAGE, "to: is missing")


@pytest.mark.parametrize("number", sorted(ADVICE.keys() | failures.ADVICE))
def test_a_system_error_names_path_cause_and_next_step(number: int) -> None:
    failure = failure_of(OSError(number, os.strerror(number), "/x/y"))
    assert failure.code is ExitCode.FOLDER
    assert "/x/y" in failure.sentence
    assert os.strerror(number) in failure.sentence
    assert ADVICE[number] in failure.sentence


def test_a_system_error_without_a_number_names_its_type() -> None:
    failure = failure_of(OSError("odd"))
    assert (failure.code, "OSError" in failure.sentence) == (ExitCode.FOLDER, True)


def test_a_defect_does_not_quote_its_message() -> None:
    failure = failure_of(ValueError("the key is 0xdeadbeef"))
    assert failure.code is ExitCode.INTERNAL
    assert "deadbeef" not in failure.sentence
    assert "ValueError" in failure.sentence


def test_a_missing_installation_gives_an_error_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fenced(*_: object, **__: object) -> None:
        raise KafkaFencedError("the \x1b key")

    monkeypatch.setattr("sixgate.cli.app._run", fenced)
    monkeypatch.setitem(sys.modules, "sixgate.cli.terminal", None)  # an import of it fails
    assert run() == ExitCode.TAKEN_OVER
    assert capsys.readouterr().err == "Error: the ? key\n"


def test_a_closed_output_prints_nothing() -> None:
    assert failure_of(OutputClosedError()) == failures.Failure(ExitCode.OUTPUT_CLOSED, "")


@pytest.mark.parametrize("name", OF_EXCEPTIONS)
def test_every_listed_exception_exists(name: str) -> None:
    module, _, kind = name.rpartition(".")
    found = getattr(import_module(module), kind)
    assert issubclass(found, Exception)
    assert f"{found.__module__}.{found.__qualname__}" == name


def test_every_fatal_error_halts() -> None:
    for kind in FATAL_ERRORS:
        assert OF_EXCEPTIONS[f"{kind.__module__}.{kind.__qualname__}"] is ExitCode.HALTED


def test_every_api_error_code_has_an_exit_code() -> None:
    raised = {
        node.args[0].value
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "ApiError"
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }
    assert raised <= API_CODES.keys()


def test_the_gates_exit_code_is_in_the_table() -> None:
    assert ExitCode.GATES_FAILED == IO_FAILED


def test_the_page_has_the_table_of_exit_codes() -> None:
    wanted = [
        f"| {code.value} | {code.name.lower().replace('_', ' ')} | {code.meaning} |"
        for code in ExitCode
    ]
    assert [line for line in DOCS.read_text().splitlines() if line in wanted] == wanted
