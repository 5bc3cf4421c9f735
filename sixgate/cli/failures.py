"""From any exception to one sentence for the user and an exit code: never a traceback."""

import errno
import os
from dataclasses import dataclass
from functools import cache

from sixgate.api_error import ApiError
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.output import OutputClosedError

TRACEBACK_VARIABLE = "SIXGATE_TRACEBACK"


class CommandError(Exception):
    """A command cannot go on: its exit code and the sentence that says why and what to do."""

    def __init__(self, code: ExitCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class Failure:
    """How a command ends; an empty sentence says nothing."""

    code: ExitCode
    sentence: str


API_CODES: dict[str, ExitCode] = {
    "registry_refused": ExitCode.REFUSED,
    "key_refused": ExitCode.REFUSED,
    "vault_refused": ExitCode.REFUSED,
    "read_refused": ExitCode.REFUSED,
    "access_refused": ExitCode.REFUSED,
    "secret_unknown": ExitCode.NOT_FOUND,
    "custody_failed": ExitCode.REFUSED,
    "custody_absent": ExitCode.UNREACHABLE,
    "custody_unavailable": ExitCode.UNREACHABLE,
    "intent_unknown": ExitCode.NOT_FOUND,
    "ledger_wrong": ExitCode.LEDGER_WRONG,
    "sql_refused": ExitCode.SQL_REFUSED,
    "ledger_empty": ExitCode.NOT_FOUND,
    "head_malformed": ExitCode.USAGE,
    "export_failed": ExitCode.FOLDER,
    "halted": ExitCode.HALTED,
    "connection_lost": ExitCode.UNREACHABLE,
    "busy": ExitCode.UNREACHABLE,
    "denied": ExitCode.REFUSED,
    "topic_missing": ExitCode.WEAKER,
    "nonce_malformed": ExitCode.USAGE,
    "attestation_busy": ExitCode.UNREACHABLE,
    "attestation_failed": ExitCode.UNREACHABLE,
    "not_attested": ExitCode.USAGE,
    "position_unknown": ExitCode.USAGE,
    "request_malformed": ExitCode.UNREACHABLE,
    "method_unknown": ExitCode.UNREACHABLE,
    "ledger_failed": ExitCode.HALTED,
    "internal": ExitCode.INTERNAL,
}

ADVICE: dict[int, str] = {
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "check the path",
    errno.EISDIR: "name a file in it",
    errno.EACCES: "run as who may, or name another place",
    errno.EPERM: "run as who may, or name another place",
    errno.EROFS: "name another place",
    errno.EEXIST: "name another file, or move this one away",
    errno.ENOSPC: "free some space and run this again",
    errno.EDQUOT: "free some space and run this again",
    errno.EMFILE: "raise the limit of open files (ulimit -n) and run this again",
}


def failure_of(error: BaseException) -> Failure:
    """Translate an exception; one that nobody foresaw is a defect and says so."""
    match error:
        case OutputClosedError():
            return Failure(ExitCode.OUTPUT_CLOSED, "")
        case KeyboardInterrupt():
            return Failure(ExitCode.INTERRUPTED, "interrupted: what was accepted goes on")
        case CommandError():
            return Failure(error.code, str(error))
        case ApiError():
            return Failure(API_CODES.get(error.code, ExitCode.INTERNAL), str(error))
    return _foreign(error)


@cache
def known_kinds() -> tuple[tuple[type[BaseException], ExitCode], ...]:
    """Import the table of exceptions: with it comes all that a whole pipeline raises.

    A process that runs for weeks calls this before it starts. When it fails, its installation may
    have been upgraded, or its file descriptors exhausted, and the import would fail too.
    """
    from sixgate.cli.failure_kinds import KINDS

    return KINDS


def _foreign(error: BaseException) -> Failure:
    kinds: tuple[tuple[type[BaseException], ExitCode], ...] = ()
    sentence = _defect(error)
    try:
        kinds = known_kinds()
    except Exception as unloadable:  # noqa: BLE001 - whatever it is, the command ends in a sentence
        sentence = _unexplained(error, unloadable)
    for kind, code in kinds:
        if isinstance(error, kind):
            return Failure(code, str(error))
    if isinstance(error, OSError):
        return Failure(ExitCode.FOLDER, _system_error(error))
    return Failure(ExitCode.INTERNAL, sentence)


def _system_error(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    why = error.strerror or type(error).__name__
    return f"{where}{why}: {ADVICE.get(error.errno or 0, 'mend that and run this again')}"


def _unexplained(error: BaseException, unloadable: Exception) -> str:
    """Name both errors without their messages, which may quote anything."""
    return (
        f"{type(error).__name__} ended the command, and sixgate could not load its explanation "
        f"({type(unloadable).__name__}): check the installation and the limit of open files "
        "(ulimit -n), then run this again"
    )


def _defect(error: BaseException) -> str:
    """Name the defect without its message, which may quote anything."""
    shown = os.environ.get(TRACEBACK_VARIABLE)
    how = "" if shown else f"; {TRACEBACK_VARIABLE}=1 shows where"
    return f"a defect in sixgate ({type(error).__name__}): please report it{how}"
