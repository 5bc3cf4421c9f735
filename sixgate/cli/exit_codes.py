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
