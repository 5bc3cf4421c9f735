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


API_CODES: dict[str, ExitCode] = {
    "registry_refused": ExitCode.REFUSED,
    "key_refused": ExitCode.REFUSED,
    "vault_refused": ExitCode.REFUSED,
    "read_refused": ExitCode.REFUSED,
    "access_refused": ExitCode.REFUSED,
    "secret_unknown": ExitCode.NOT_FOUND,
    "custody_failed": ExitCode.REFUSED,
    "custody_absent": ExitCode.UNREACHABLE,
    "desk_absent": ExitCode.REFUSED,
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
    "body_too_large": ExitCode.USAGE,
    "head_too_large": ExitCode.USAGE,
    "request_timeout": ExitCode.UNREACHABLE,
    "ledger_failed": ExitCode.HALTED,
    "reads_behind": ExitCode.UNREACHABLE,
    "reads_failed": ExitCode.FOLDER,
    "simulator_busy": ExitCode.UNREACHABLE,
    "internal": ExitCode.INTERNAL,
}

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
