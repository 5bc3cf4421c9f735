"""Exit codes: the table from each expected exception to the exit code of its command."""

from schemas.strict_json import JsonError
from sixgate.authoring.intent_form import IntentFormError
from sixgate.cli.exit_codes import ExitCode
from sixgate.data_folder.folder import FolderBusyError, FolderError
from sixgate.data_folder.key_files import KeyFileError
from sixgate.errors import SettingsError
from sixgate.fatal_errors import FATAL_ERRORS
from streams.kafka.errors import (
    KafkaBusError,
    KafkaDeniedError,
    KafkaFencedError,
    KafkaMisconfiguredError,
    KafkaTopicMissingError,
    KafkaUnreachableError,
)
from streams.ledger.errors import (
    LedgerBusyError,
    LedgerConflictError,
    LedgerDeniedError,
    LedgerError,
    LedgerRewrittenError,
    LedgerUnreachableError,
    LedgerVerificationError,
)

# The first matching row applies, so a subclass stands before its base.
EXIT_CODES: tuple[tuple[type[BaseException], ExitCode], ...] = (
    (FolderBusyError, ExitCode.UNREACHABLE),
    (FolderError, ExitCode.FOLDER),
    (KeyFileError, ExitCode.FOLDER),
    (LedgerBusyError, ExitCode.UNREACHABLE),
    (LedgerVerificationError, ExitCode.LEDGER_WRONG),
    (LedgerRewrittenError, ExitCode.LEDGER_WRONG),
    (LedgerUnreachableError, ExitCode.UNREACHABLE),
    (LedgerDeniedError, ExitCode.REFUSED),
    (LedgerConflictError, ExitCode.TAKEN_OVER),
    (LedgerError, ExitCode.HALTED),
    *((kind, ExitCode.HALTED) for kind in FATAL_ERRORS),
    (KafkaUnreachableError, ExitCode.UNREACHABLE),
    (KafkaDeniedError, ExitCode.REFUSED),
    (KafkaTopicMissingError, ExitCode.WEAKER),
    (KafkaMisconfiguredError, ExitCode.WEAKER),
    (KafkaFencedError, ExitCode.TAKEN_OVER),
    (KafkaBusError, ExitCode.HALTED),
    (SettingsError, ExitCode.USAGE),
    (IntentFormError, ExitCode.USAGE),
    (JsonError, ExitCode.USAGE),
)
