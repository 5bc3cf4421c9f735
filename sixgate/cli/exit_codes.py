"""Exit codes of all commands; ``docs/cli.md`` has the same table, and a test compares them."""

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended; a code never changes its meaning."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    REJECTED = 3
    REFUSED = 4
    FOLDER = 5
    UNREACHABLE = 6
    HALTED = 7
    LEDGER_WRONG = 8
    NOT_FOUND = 9
    SQL_REFUSED = 10
    WEAKER = 11
    TAKEN_OVER = 12
    STALLED = 13
    NOT_ATTESTED = 14
    GATES_FAILED = 70
    INTERRUPTED = 130
    OUTPUT_CLOSED = 141


MEANING: dict[ExitCode, str] = {
    ExitCode.OK: "Success; every submitted intent was signed, or ended as its line expects.",
    ExitCode.INTERNAL: "A defect in Sixgate: please report the message.",
    ExitCode.USAGE: "The command line or an input file is invalid; nothing invalid was sent.",
    ExitCode.REJECTED: "A submitted intent did not end as expected; usually it was rejected.",
    ExitCode.REFUSED: "The registry, the signer, custody or a server refused the request.",
    ExitCode.FOLDER: "A file or the data folder cannot be read, written or created.",
    ExitCode.UNREACHABLE: "A server or the folder's owner does not answer or has another version.",
    ExitCode.HALTED: "The pipeline halted (state, clock, disk, keys) or cannot read its ledger.",
    ExitCode.LEDGER_WRONG: "The ledger does not verify.",
    ExitCode.NOT_FOUND: "No agent, chain, intent, key, secret, setting or vault has this name.",
    ExitCode.SQL_REFUSED: "The SQL query is invalid, not read-only, or exceeds a limit.",
    ExitCode.WEAKER: "Kafka's topics or rights, or a KMS key, are missing or weaker than declared.",
    ExitCode.TAKEN_OVER: "A newer process fenced this one; nothing is lost.",
    ExitCode.STALLED: "The probed process is stalled; with --pid it was ended.",
    ExitCode.NOT_ATTESTED: "Attestation evidence does not verify under the policy.",
    ExitCode.GATES_FAILED: "The gates could not read or send; unsent records are read again.",
    ExitCode.INTERRUPTED: "Interrupted by Ctrl-C; accepted intents are still decided.",
    ExitCode.OUTPUT_CLOSED: "The reader of the output closed it.",
}

OF_EXCEPTIONS: dict[str, ExitCode] = {
    "sixgate.data_folder.folder.FolderBusyError": ExitCode.UNREACHABLE,
    "sixgate.data_folder.folder.FolderError": ExitCode.FOLDER,
    "sixgate.data_folder.key_files.KeyFileError": ExitCode.FOLDER,
    "streams.ledger.errors.LedgerBusyError": ExitCode.UNREACHABLE,
    "streams.ledger.errors.LedgerVerificationError": ExitCode.LEDGER_WRONG,
    "streams.ledger.errors.LedgerRewrittenError": ExitCode.LEDGER_WRONG,
    "streams.ledger.errors.LedgerUnreachableError": ExitCode.UNREACHABLE,
    "streams.ledger.errors.LedgerDeniedError": ExitCode.REFUSED,
    "streams.ledger.errors.LedgerConflictError": ExitCode.TAKEN_OVER,
    "streams.ledger.errors.LedgerError": ExitCode.HALTED,
    "streams.log.errors.LogError": ExitCode.HALTED,
    "signer.state.StateIntegrityError": ExitCode.HALTED,
    "signer.stage.HaltError": ExitCode.HALTED,
    "streams.runners.clock.ClockError": ExitCode.HALTED,
    "signer.freshness.RegistryStaleError": ExitCode.HALTED,
    "signer.custody.errors.CustodyError": ExitCode.HALTED,
    "signer.attestation.platform.CollectionError": ExitCode.HALTED,
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
