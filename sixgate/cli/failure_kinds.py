"""Exit codes: the table from each expected exception to the exit code of its command."""

from schemas.strict_json import JsonWrong
from sixgate.authoring.intent_form import IntentWrong
from sixgate.cli.exit_codes import ExitCode
from sixgate.data_folder.folder import FolderBusy, FolderError
from sixgate.data_folder.key_files import KeyFileError
from sixgate.halts import HALTS
from sixgate.settings_wrong import SettingsWrong
from streams.kafka.errors import (
    KafkaDenied,
    KafkaFault,
    KafkaFenced,
    KafkaTopicMissing,
    KafkaUnreachable,
    KafkaWeaker,
)
from streams.ledger.errors import (
    LedgerBusy,
    LedgerConflict,
    LedgerDenied,
    LedgerError,
    LedgerFault,
    LedgerRewritten,
    LedgerUnreachable,
)

# The first row that fits counts, so a special case stands before its base.
KINDS: tuple[tuple[type[BaseException], ExitCode], ...] = (
    (FolderBusy, ExitCode.UNREACHABLE),
    (FolderError, ExitCode.FOLDER),
    (KeyFileError, ExitCode.FOLDER),
    (LedgerBusy, ExitCode.UNREACHABLE),
    (LedgerFault, ExitCode.LEDGER_WRONG),
    (LedgerRewritten, ExitCode.LEDGER_WRONG),
    (LedgerUnreachable, ExitCode.UNREACHABLE),
    (LedgerDenied, ExitCode.REFUSED),
    (LedgerConflict, ExitCode.TAKEN_OVER),
    (LedgerError, ExitCode.HALTED),
    *((kind, ExitCode.HALTED) for kind in HALTS),
    (KafkaUnreachable, ExitCode.UNREACHABLE),
    (KafkaDenied, ExitCode.REFUSED),
    (KafkaTopicMissing, ExitCode.WEAKER),
    (KafkaWeaker, ExitCode.WEAKER),
    (KafkaFenced, ExitCode.TAKEN_OVER),
    (KafkaFault, ExitCode.HALTED),
    (SettingsWrong, ExitCode.USAGE),
    (IntentWrong, ExitCode.USAGE),
    (JsonWrong, ExitCode.USAGE),
)
