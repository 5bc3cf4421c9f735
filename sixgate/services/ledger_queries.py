"""The signer's queries to the ledger: they detect a state that was rolled back."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property

from signer.core.registry.registry import Registry
from signer.keys.signer_events import all_signer_keys_since
from sixgate.config.sections import ClickHouseSettings
from streams.ledger.errors import LedgerUnavailableError
from streams.ledger.migrations import refuse_unmigrated
from streams.ledger.verified_outcomes import VerifiedOutcomes


class LedgerQueries:
    """Queries the ledger's server; connects at the first query. For one thread at a time.

    ``registry_seen`` is the number of registry records that the signer's state had seen when it was
    loaded. A signer key that those records revoked signed nothing later, so an outcome beyond the
    state with such a key comes from a thief. It must not halt the signer and is ignored.
    """

    def __init__(self, settings: ClickHouseSettings, registry: Registry, *, required: bool) -> None:
        """Without ``required``, an unavailable ledger is ignored and halts nothing."""
        self._settings = settings
        self._registry = registry
        self._required = required
        self.registry_seen = 0

    def check_available(self) -> None:
        """Raise ``LedgerError`` if the ledger is required and cannot be queried."""
        if self._required:
            refuse_unmigrated(self._outcomes.clickhouse)

    def newest(self, accounts: Sequence[str]) -> Mapping[str, int]:
        """Return the sequence of each account's newest outcome in the ledger, if it has one."""
        keys = all_signer_keys_since(self._registry, self.registry_seen)
        if self._required:
            return self._outcomes.newest_sequences(accounts, keys)
        with suppress(LedgerUnavailableError):
            return self._outcomes.newest_sequences(accounts, keys)
        return {}

    def has_outcome(self, intent: str) -> bool:
        """Return whether the ledger has an outcome of an intent; raises ``LedgerError``."""
        return self._outcomes.has_outcome(intent)

    def newest_sequence(self, account: str) -> int:
        """Return the sequence of an account's newest outcome; 0 if it has none or is unknown."""
        with suppress(LedgerUnavailableError):
            return self._outcomes.newest_sequence(account)
        return 0

    @cached_property
    def _outcomes(self) -> VerifiedOutcomes:
        return VerifiedOutcomes(self._settings.connected(), self._registry.signer_keys)

    def close(self) -> None:
        """Close the connection if it was opened."""
        if "_outcomes" in self.__dict__:
            self._outcomes.clickhouse.close()
