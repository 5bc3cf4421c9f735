"""Exit codes of all commands; ``docs/cli.md`` has the same table, and a test compares them."""

from enum import IntEnum
from typing import NoReturn, Self


class ExitCode(IntEnum):
    """How a command ended; a code never changes its meaning."""

    meaning: str

    def __new__(cls, code: int, meaning: str) -> Self:
        """Return a code with its meaning."""
        made = int.__new__(cls, code)
        made._value_, made.meaning = code, meaning
        return made

    OK = 0, "Success; every submitted intent was signed, or ended as its line expects."
    INTERNAL = 1, "A defect in Sixgate: please report the message."
    USAGE = 2, "The command line or an input file is invalid; nothing invalid was sent."
    REJECTED = 3, "A submitted intent did not end as expected; usually it was rejected."
    REFUSED = 4, "The registry, the signer, custody or a server refused the request."
    FOLDER = 5, "A file or the data folder cannot be read, written or created."
    UNREACHABLE = 6, "A server or the folder's owner does not answer or has another version."
    HALTED = 7, "The pipeline halted (state, clock, disk, keys) or cannot read its ledger."
    LEDGER_WRONG = 8, "The ledger does not verify."
    NOT_FOUND = 9, "No agent, chain, intent, key, secret, setting or vault has this name."
    SQL_REFUSED = 10, "The SQL query is invalid, not read-only, or exceeds a limit."
    WEAKER = 11, "Kafka's topics or rights, or a KMS key, are missing or weaker than declared."
    TAKEN_OVER = 12, "A newer process fenced this one; nothing is lost."
    STALLED = 13, "A process made no progress and ended itself, or the probed process makes none."
    NOT_ATTESTED = 14, "Attestation evidence does not verify under the policy."
    GATES_FAILED = 70, "The gates could not read or send; unsent records are read again."
    INTERRUPTED = 130, "Interrupted by Ctrl-C; accepted intents are still decided."
    OUTPUT_CLOSED = 141, "The reader of the output closed it."


class CommandError(Exception):
    """Ends a command with an exit code and a sentence: what happened, why, the next step."""

    def __init__(self, code: ExitCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def fail_usage(sentence: str) -> NoReturn:
    """End the command because its input is wrong."""
    raise CommandError(ExitCode.USAGE, sentence)


OF_EXCEPTIONS: dict[str, ExitCode] = {
    "sixgate.data_folder.folder.FolderBusyError": ExitCode.UNREACHABLE,
    "sixgate.data_folder.signer_files.FolderError": ExitCode.FOLDER,
    "sixgate.data_folder.key_files.KeyFileError": ExitCode.FOLDER,
    "streams.ledger.errors.LedgerBusyError": ExitCode.UNREACHABLE,
    "streams.ledger.errors.LedgerVerificationError": ExitCode.LEDGER_WRONG,
    "streams.ledger.errors.LedgerRewrittenError": ExitCode.LEDGER_WRONG,
    "streams.ledger.errors.LedgerUnreachableError": ExitCode.UNREACHABLE,
    "streams.ledger.errors.LedgerDeniedError": ExitCode.REFUSED,
    "streams.ledger.errors.LedgerConflictError": ExitCode.TAKEN_OVER,
    "streams.ledger.errors.LedgerError": ExitCode.HALTED,
    "streams.log.errors.LogError": ExitCode.HALTED,
    "signer.stage.state.StateIntegrityError": ExitCode.HALTED,
    "signer.stage.stage.HaltError": ExitCode.HALTED,
    "streams.runners.clock.ClockError": ExitCode.HALTED,
    "signer.stage.freshness.RegistryStaleError": ExitCode.HALTED,
    "signer.custody.errors.CustodyError": ExitCode.HALTED,
    "signer.attestation.device.platform.CollectionError": ExitCode.HALTED,
    "streams.simulators.simulation.SimulatorError": ExitCode.HALTED,
    "streams.kafka.errors.KafkaUnreachableError": ExitCode.UNREACHABLE,
    "streams.kafka.errors.KafkaDeniedError": ExitCode.REFUSED,
    "streams.kafka.errors.KafkaTopicMissingError": ExitCode.WEAKER,
    "streams.kafka.errors.KafkaMisconfiguredError": ExitCode.WEAKER,
    "streams.kafka.errors.KafkaFencedError": ExitCode.TAKEN_OVER,
    "streams.kafka.errors.KafkaBusError": ExitCode.HALTED,
    "sixgate.errors.SettingsError": ExitCode.USAGE,
    "sixgate.authoring.intent_form.IntentFormError": ExitCode.USAGE,
    "sixgate.gateway.people.NameTakenError": ExitCode.USAGE,
    "schemas.strict_json.JsonError": ExitCode.USAGE,
}
"""Expected exceptions by name: importing them all would import the whole pipeline.

An exception that is not listed has the code of its nearest listed base class.
"""
