"""What the signer remembers of an account: its window, rates, nonces and sequence; a fold."""

from typing import Any, Literal

from pydantic import Field

from schemas.canonical import Canonical, digest
from schemas.client_share import ClientShare
from schemas.fields import Count, Digest, ExpiryMs, IdempotencyKey, Name, Nonce, Ordinal, TimeMs
from schemas.outcome import MessageSigned, PinnedOutcome, TransactionSigned
from signer.nonces import ANY_CHAIN, Nonces, nonce_key
from signer.window import DAY_MS, MINUTE_MS, SPENT_MS, Window, WindowField


class Account(Canonical):
    """The head of one account's state.

    ``sequence`` is that of its newest outcome; ``nonces`` maps ``address@chain`` to the highest
    one used, and ``ahead`` to those of authorizations beyond a free one (absent: none);
    ``live_count`` and ``live_digest`` describe the set of live records.
    """

    v: Literal[1] = 1
    type: Literal["account.head"] = "account.head"
    account: Name
    sequence: Count = 0
    spent: WindowField = Window()
    rates: dict[Name, WindowField] = Field(default_factory=dict)
    nonces: dict[str, Nonce] = Field(default_factory=dict)
    ahead: dict[str, tuple[Nonce, ...]] | None = None
    live_count: Count = 0
    live_digest: Digest = "0x" + "00" * 32

    def spent_wei(self, now_ms: int) -> int:
        """Return what may have been signed in the last 24 hours."""
        return self.spent.total(now_ms, SPENT_MS)

    def intents_of(self, agent: str, now_ms: int) -> int:
        """Return how many intents of ``agent`` were judged in the last minute."""
        window = self.rates.get(agent)
        return window.total(now_ms, MINUTE_MS) if window else 0

    def next_nonce(self, sender: str, chain_id: int, least: int = 0) -> int:
        """Return the lowest nonce from ``least`` on that ``sender`` may use next on a chain."""
        return self._used().following(sender, chain_id, least)

    def delegations_for_every_chain(self, sender: str) -> int:
        """Return how many authorizations of ``sender`` hold on every chain."""
        return len((self.ahead or {}).get(nonce_key(sender, ANY_CHAIN), ()))

    def judged(self, agent: str, at_ms: int) -> "Account":
        """Fold in that one intent of ``agent`` was judged and takes the next sequence number."""
        window = self.rates.get(agent, Window()).add(at_ms, 1, MINUTE_MS)
        rates = self.rates if agent in self.rates else self._recent(at_ms)
        update = {"rates": rates | {agent: window}, "sequence": self.sequence + 1}
        return self.model_copy(update=update)

    def _recent(self, at_ms: int) -> dict[str, Window]:
        """Return the rates that still count, so that a head does not grow with past agents."""
        return {a: w for a, w in self.rates.items() if w.total(at_ms, MINUTE_MS)}

    def charged(self, signed: TransactionSigned | MessageSigned) -> "Account":
        """Fold in the value and nonce of an allocation, as far as it has them."""
        nonces = self._used().using(signed)
        update: dict[str, Any] = {"nonces": nonces.highest, "ahead": nonces.ahead or None}
        if isinstance(signed, TransactionSigned):
            update["spent"] = self.spent.add(signed.decided_at_ms, signed.value_wei, SPENT_MS)
        return self.model_copy(update=update)

    def recharged(self, signed: TransactionSigned, now_ms: int) -> "Account":
        """Fold in that an allocation is signed only now, so that it counts from now on."""
        window = self.spent.move(signed.decided_at_ms, now_ms, signed.value_wei, SPENT_MS)
        return self.model_copy(update={"spent": window})

    def _used(self) -> Nonces:
        return Nonces(self.nonces, self.ahead or {})


class LiveIntent(Canonical):
    """What the signer remembers of one intent until it is done and ``forget_at_ms`` has passed.

    ``pinned`` is the outcome without its signatures until that is published, so that whoever
    finishes it later makes the same bytes; ``client_share`` opens the key for that, as it came.
    """

    v: Literal[1] = 1
    type: Literal["live.intent"] = "live.intent"
    account: Name
    intent: Digest
    agent: Name
    idempotency_key: IdempotencyKey
    expires_at_ms: ExpiryMs
    decided_at_ms: TimeMs
    forget_at_ms: TimeMs
    sequence: Ordinal
    pinned: PinnedOutcome | None = None
    client_share: ClientShare | None = None

    def done(self) -> "LiveIntent":
        """Return the record of the same intent with nothing left to publish."""
        return self.model_copy(update={"pinned": None, "client_share": None})

    def standing_in(self) -> "LiveIntent":
        """Return the record that stays, under ``far_key``, until its day of expiry is over.

        One is enough for all intents that expire on one day and were refused because it was far.
        """
        return self.model_copy(update={"forget_at_ms": (_day(self.expires_at_ms) + 1) * DAY_MS})


def owner_key(agent: str, idempotency_key: str) -> str:
    """Name the live record of the first intent that used an idempotency key."""
    return digest("sixgate/idempotency/v1", f"{agent}\x00{idempotency_key}".encode())


def far_key(expires_at_ms: int) -> str:
    """Name the live record that stands for forgotten refusals of intents that expire on a day."""
    return digest("sixgate/far-expiry/v1", b"%d" % _day(expires_at_ms))


def _day(at_ms: int) -> int:
    return at_ms // DAY_MS
