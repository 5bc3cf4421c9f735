"""What the signer asks the ledger: whether its own state is older than what it once said."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import cached_property

from sixgate.settings.sections import ClickHouseSettings
from streams.ledger.errors import LedgerUnavailable
from streams.ledger.migrations import refuse_unmigrated
from streams.ledger.proven import ProvenOutcomes


class LedgerProofs:
    """Asks the ledger's server, connecting when it is first asked; for one thread at a time."""

    def __init__(
        self,
        settings: ClickHouseSettings,
        signer_keys: Mapping[str, Collection[str]],
        *,
        required: bool,
    ) -> None:
        """Without ``required`` a ledger that does not answer proves nothing and halts nothing."""
        self._settings = settings
        self._signer_keys = signer_keys
        self._required = required

    def refuse_absent(self) -> None:
        """Raise ``LedgerError`` where a ledger that is required cannot be asked."""
        if self._required:
            refuse_unmigrated(self._outcomes.clickhouse)

    def newest(self, accounts: Sequence[str]) -> Mapping[str, int]:
        """Return, of accounts that have one, the sequence of the newest outcome in the ledger."""
        if self._required:
            return self._outcomes.newest_sequences(accounts)
        with suppress(LedgerUnavailable):
            return self._outcomes.newest_sequences(accounts)
        return {}

    def has_outcome(self, intent: str) -> bool:
        """Tell whether an intent ended before; raises ``LedgerError`` where nobody can tell."""
        return self._outcomes.has_outcome(intent)

    @cached_property
    def _outcomes(self) -> ProvenOutcomes:
        return ProvenOutcomes(self._settings.connected(), self._signer_keys)

    def close(self) -> None:
        """Close the connection if there is one."""
        if "_outcomes" in self.__dict__:
            self._outcomes.clickhouse.close()
