"""Failures: maps any exception to one sentence and an exit code, never a traceback."""

import errno
import os
from dataclasses import dataclass

from sixgate.api_error import ApiError
from sixgate.cli.exit_codes import OF_EXCEPTIONS, CommandError, ExitCode

TRACEBACK_VARIABLE = "SIXGATE_TRACEBACK"


class OutputClosedError(Exception):
    """The reader of standard output closed it, so no error is printed."""


@dataclass(frozen=True, slots=True)
class Failure:
    """How a command ends; an empty sentence prints nothing."""

    code: ExitCode
    sentence: str


_API_CODES = {
    ExitCode.REFUSED: (
        "registry_refused key_refused vault_refused read_refused access_refused custody_failed "
        "desk_absent denied"
    ),
    ExitCode.UNREACHABLE: (
        "custody_absent custody_unavailable connection_lost busy attestation_busy "
        "attestation_failed request_malformed method_unknown request_timeout reads_behind "
        "simulator_busy"
    ),
    ExitCode.USAGE: (
        "head_malformed nonce_malformed not_attested position_unknown body_too_large head_too_large"
    ),
    ExitCode.NOT_FOUND: "secret_unknown intent_unknown ledger_empty",
    ExitCode.FOLDER: "export_failed reads_failed disk_low",
    ExitCode.HALTED: "halted ledger_failed",
    ExitCode.LEDGER_WRONG: "ledger_wrong",
    ExitCode.SQL_REFUSED: "sql_refused",
    ExitCode.WEAKER: "topic_missing",
    ExitCode.INTERNAL: "internal",
}
API_CODES = {name: code for code, names in _API_CODES.items() for name in names.split()}
"""Exit codes of the codes of ``ApiError``."""

ADVICE: dict[int, str] = {
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "check the path",
    errno.EISDIR: "choose a file in it",
    errno.EACCES: "run as a user with permission, or choose another path",
    errno.EPERM: "run as a user with permission, or choose another path",
    errno.EROFS: "choose another path",
    errno.EEXIST: "choose another file, or move this one",
    errno.ENOSPC: "free some space and retry",
    errno.EDQUOT: "free some space and retry",
    errno.EMFILE: "raise the limit of open files (ulimit -n) and retry",
}


def failure_of(error: BaseException) -> Failure:
    """Translate an exception; an unexpected one is reported as a defect."""
    match error:
        case OutputClosedError():
            return Failure(ExitCode.OUTPUT_CLOSED, "")
        case KeyboardInterrupt():
            return Failure(ExitCode.INTERRUPTED, "interrupted: accepted intents are still decided")
        case CommandError():
            return Failure(error.code, str(error))
        case ApiError():
            return Failure(API_CODES.get(error.code, ExitCode.INTERNAL), str(error))
    return _foreign(error)


def _foreign(error: BaseException) -> Failure:
    for kind in type(error).__mro__:  # the class itself, then its bases
        code = OF_EXCEPTIONS.get(f"{kind.__module__}.{kind.__qualname__}")
        if code is not None:
            return Failure(code, str(error))
    if isinstance(error, OSError):
        return Failure(ExitCode.FOLDER, _system_error(error))
    return Failure(ExitCode.INTERNAL, _defect(error))


def _system_error(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    why = error.strerror or type(error).__name__
    return f"{where}{why}: {ADVICE.get(error.errno or 0, 'fix the problem and retry')}"


def _defect(error: BaseException) -> str:
    """Name the type of the error; its message could contain a secret."""
    hint = "" if os.environ.get(TRACEBACK_VARIABLE) else f"; {TRACEBACK_VARIABLE}=1 shows where"
    return f"a defect in Sixgate ({type(error).__name__}): please report it{hint}"
