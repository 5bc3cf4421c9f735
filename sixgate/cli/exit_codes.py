"""The exit codes of every command; ``docs/cli.md`` repeats this table and a test compares them."""

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
    ExitCode.OK: "Done; every submitted intent was signed, or ended as its line expects.",
    ExitCode.INTERNAL: "A defect in sixgate: please report the sentence.",
    ExitCode.USAGE: "The command line or an input file is wrong; nothing wrong was sent.",
    ExitCode.REJECTED: "A submitted intent ended otherwise than expected; mostly, it was rejected.",
    ExitCode.REFUSED: "Registry, signer or custody refused it, or a server forbids it.",
    ExitCode.FOLDER: "A file or the data folder cannot be read, written or created.",
    ExitCode.UNREACHABLE: "A server or the folder's owner does not answer, or has another version.",
    ExitCode.HALTED: "The pipeline halted (state, clock, disk, keys) or its ledger is not read.",
    ExitCode.LEDGER_WRONG: "The ledger does not verify.",
    ExitCode.NOT_FOUND: "There is no agent, chain, intent, key, secret, setting or vault so named.",
    ExitCode.SQL_REFUSED: "The query is wrong, not read-only, or over its bounds.",
    ExitCode.WEAKER: "Kafka's topics or rights, or a KMS key, are missing or weaker than declared.",
    ExitCode.TAKEN_OVER: "A newer process took this one's place; nothing is lost.",
    ExitCode.STALLED: "The process that was probed is stalled; with --pid it was ended.",
    ExitCode.NOT_ATTESTED: "Attestation evidence does not verify under the policy.",
    ExitCode.GATES_FAILED: "The gates could not send or read; what was not sent is read again.",
    ExitCode.INTERRUPTED: "Interrupted from the keyboard; what was accepted goes on.",
    ExitCode.OUTPUT_CLOSED: "Whoever read the output closed it.",
}
