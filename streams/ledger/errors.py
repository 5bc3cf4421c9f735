"""What can go wrong with the ledger; every message is one sentence for its operator."""

# A server that hangs counts as unreachable after this long; the largest batch takes a second.
ANSWER_S_MAX = 30
CONNECT_S_MAX = 5


class LedgerError(Exception):
    """The root of the tree."""


class LedgerUnavailableError(LedgerError):
    """The database did not do what it was asked: unreachable, disk full, damaged files."""


class LedgerBusyError(LedgerUnavailableError):
    """Another process holds the ledger's folder."""


class LedgerUnreachableError(LedgerUnavailableError):
    """The server does not answer, or not in time."""


class LedgerDeniedError(LedgerUnavailableError):
    """The server knows no such user, or does not let it do this."""


class LedgerMissingError(LedgerUnavailableError):
    """There is no such table or database."""


class LedgerVersionError(LedgerError):
    """The tables were made by another version of the DDL, or by none yet."""


class LedgerConflictError(LedgerError):
    """Somebody else appended to the chain: there may be one writer only."""


class LedgerGapError(LedgerError):
    """The log no longer holds what the ledger has yet to read, or never held what it has."""


class LedgerRewrittenError(LedgerError):
    """The table is behind a published head, or contradicts it."""


class LedgerVerificationError(LedgerError):
    """Verification failed: ``seq`` is the first bad row, ``what`` says what is wrong with it."""

    def __init__(self, seq: int, what: str) -> None:
        super().__init__(f"Row {seq}: {what}.")
        self.seq = seq
        self.what = what


class QueryRefusedError(LedgerError):
    """A user's SQL that is not one bounded, read-only query over the ledger, or is wrong."""
