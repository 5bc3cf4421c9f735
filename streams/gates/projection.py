"""Account projection of the gates: folds the signer's outcomes; it lags and is advice only."""

from schemas.canonical import MalformedError
from schemas.intents.outcome import AnyOutcome, IntentRejected, decode_outcome
from signer.core.account import Account
from signer.core.errors import InvalidSignatureError
from signer.core.registry.registry import Registry
from signer.keys.signer_events import verify_signer_event


class Projection:
    """Accounts folded from their outcomes; outcomes without a signer's signature are ignored."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._accounts: dict[str, Account] = {}

    def account(self, name: str) -> Account:
        """Return an account as of the newest outcome that was read."""
        return self._accounts.get(name) or Account(account=name)

    def apply(self, raw: bytes) -> bool:
        """Fold in an outcome, unless it is a repeated one; return False for an unproven one."""
        try:
            outcome = decode_outcome(raw)
            before = self.account(outcome.account)
            if outcome.sequence > before.sequence:
                verify_signer_event(outcome, self._registry)
                self._accounts[outcome.account] = _folded(before, outcome)
        except (MalformedError, InvalidSignatureError):
            return False
        return True


def _folded(before: Account, outcome: AnyOutcome) -> Account:
    after = before.decided(outcome.agent, outcome.decided_at_ms)
    if not isinstance(outcome, IntentRejected):
        after = after.charged(outcome)
    return after.model_copy(update={"sequence": outcome.sequence})
