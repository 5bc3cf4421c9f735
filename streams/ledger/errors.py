"""What can go wrong with the ledger; every message is one sentence for its operator."""

# A server that hangs counts as unreachable after this long; the largest batch takes a second.
ANSWER_S_MAX = 30
CONNECT_S_MAX = 5


class LedgerError(Exception):
    """The root of the tree."""


class LedgerUnavailable(LedgerError):  # noqa: N818 - the names say what the ledger is
    """The database did not do what it was asked: unreachable, disk full, damaged files."""


class LedgerBusy(LedgerUnavailable):
    """Another process holds the ledger's folder."""


class LedgerUnreachable(LedgerUnavailable):
    """The server does not answer, or not in time."""


class LedgerDenied(LedgerUnavailable):
    """The server knows no such user, or does not let it do this."""


class LedgerMissing(LedgerUnavailable):
    """There is no such table or database."""


class LedgerIncompatible(LedgerError):  # noqa: N818
    """The tables were made by another version of the DDL, or by none yet."""


class LedgerConflict(LedgerError):  # noqa: N818
    """Somebody else appended to the chain: there may be one writer only."""


class LedgerGap(LedgerError):  # noqa: N818
    """The log no longer holds what the ledger has yet to read, or never held what it has."""


class LedgerRewritten(LedgerError):  # noqa: N818
    """The table is behind a published head, or contradicts it."""


class LedgerFault(LedgerError):  # noqa: N818
    """Verification failed: ``seq`` is the first bad row, ``what`` says what is wrong with it."""

    def __init__(self, seq: int, what: str) -> None:
        super().__init__(f"Row {seq}: {what}.")
        self.seq = seq
        self.what = what


class QueryRefused(LedgerError):  # noqa: N818
    """A user's SQL that is not one bounded, read-only query over the ledger, or is wrong."""
