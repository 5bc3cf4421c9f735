"""What the signer asks the ledger: whether its own state is older than what it once said."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property

from signer.registry import Registry
from sixgate.settings.sections import ClickHouseSettings
from streams.ledger.errors import LedgerUnavailableError
from streams.ledger.migrations import refuse_unmigrated
from streams.ledger.verified_outcomes import ProvenOutcomes


class LedgerProofs:
    """Asks the ledger's server, connecting when it is first asked; for one thread at a time.

    ``seen`` is how many records of the registry the signer's state had seen when it was loaded. All
    that was said by a key that these took is older than the state, so whatever such a key says
    beyond it comes from a thief, and halts nothing.
    """

    def __init__(self, settings: ClickHouseSettings, registry: Registry, *, required: bool) -> None:
        """Without ``required`` a ledger that does not answer proves nothing and halts nothing."""
        self._settings = settings
        self._registry = registry
        self._required = required
        self.seen = 0

    def refuse_absent(self) -> None:
        """Raise ``LedgerError`` where a ledger that is required cannot be asked."""
        if self._required:
            refuse_unmigrated(self._outcomes.clickhouse)

    def newest(self, accounts: Sequence[str]) -> Mapping[str, int]:
        """Return, of accounts that have one, the sequence of the newest outcome in the ledger."""
        keys = self._registry.all_signer_keys_since(self.seen)
        if self._required:
            return self._outcomes.newest_sequences(accounts, keys)
        with suppress(LedgerUnavailableError):
            return self._outcomes.newest_sequences(accounts, keys)
        return {}

    def has_outcome(self, intent: str) -> bool:
        """Tell whether an intent ended before; raises ``LedgerError`` where nobody can tell."""
        return self._outcomes.has_outcome(intent)

    @cached_property
    def _outcomes(self) -> ProvenOutcomes:
        return ProvenOutcomes(self._settings.connected(), self._registry.signer_keys)

    def close(self) -> None:
        """Close the connection if there is one."""
        if "_outcomes" in self.__dict__:
            self._outcomes.clickhouse.close()
