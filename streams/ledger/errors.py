"""Exceptions of the ledger; every message is one sentence for its operator."""

# Timeout after which a server counts as unreachable; the largest batch takes a second.
ANSWER_S_MAX = 30
CONNECT_S_MAX = 5


class LedgerError(Exception):
    """Base class of all ledger errors."""


class LedgerUnavailableError(LedgerError):
    """The database cannot be used: unreachable, disk full, or damaged files."""


class LedgerBusyError(LedgerUnavailableError):
    """Another process holds the ledger's folder."""


class LedgerUnreachableError(LedgerUnavailableError):
    """The server does not answer, or not before the timeout."""


class LedgerDeniedError(LedgerUnavailableError):
    """The server rejects the user or password, or the user lacks the right."""


class LedgerMissingError(LedgerUnavailableError):
    """The table or database does not exist."""


class LedgerVersionError(LedgerError):
    """The tables do not exist yet, or were made by another version of the DDL."""


class LedgerConflictError(LedgerError):
    """Another process appended to the chain: there may be one writer only."""


class LedgerGapError(LedgerError):
    """The log lost records that the ledger has not read, or is older than the ledger."""


class LedgerRewrittenError(LedgerError):
    """The table is behind a published head, or contradicts it."""


class LedgerVerificationError(LedgerError):
    """Verification failed: ``seq`` is the first bad row, ``what`` describes its fault."""

    def __init__(self, seq: int, what: str) -> None:
        super().__init__(f"Row {seq}: {what}.")
        self.seq = seq
        self.what = what


class QueryRefusedError(LedgerError):
    """A user's SQL is invalid, or is not one bounded, read-only query over the ledger."""
