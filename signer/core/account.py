"""Account state of the signer: spending window, rates, nonces and sequence; a pure fold."""

from typing import Any, Literal

from pydantic import Field

from schemas.canonical import Canonical, digest
from schemas.fields import Count, Digest, ExpiryMs, IdempotencyKey, Name, Nonce, Ordinal, TimeMs
from schemas.intents.intent import EXPIRY_MS_MAX
from schemas.intents.intent_parts import ClientShare
from schemas.intents.outcome import MessageSigned, PinnedOutcome, TransactionSigned
from signer.core.nonces import ANY_CHAIN, AccountNonces, nonce_key
from signer.core.window import DAY_MS, MINUTE_MS, SPENT_MS, Window, WindowField


class Account(Canonical):
    """The account record: one account's state, except its live records.

    ``sequence`` is that of the newest outcome. ``nonces`` maps ``address@chain`` to the highest
    used nonce. ``ahead`` maps it to nonces of authorizations above a free one, absent if there are
    none. ``live_count`` and ``live_digest`` commit to the set of live records.
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
        """Return the charges of the last 24 hours and 15 seconds, in wei."""
        return self.spent.total(now_ms, SPENT_MS)

    def intents_of(self, agent: str, now_ms: int) -> int:
        """Return how many intents of ``agent`` were decided in the last minute."""
        window = self.rates.get(agent)
        return window.total(now_ms, MINUTE_MS) if window else 0

    def next_nonce(self, sender: str, chain_id: int, least: int = 0) -> int:
        """Return the next free nonce of ``sender`` on a chain, at least ``least``."""
        return self._used().next_free(sender, chain_id, least)

    def delegations_for_every_chain(self, sender: str) -> int:
        """Return how many authorizations of ``sender`` are for chain 0 (every chain)."""
        return len((self.ahead or {}).get(nonce_key(sender, ANY_CHAIN), ()))

    def decided(self, agent: str, at_ms: int) -> "Account":
        """Count a decided intent of ``agent``: it takes the next sequence number."""
        window = self.rates.get(agent, Window()).add(at_ms, 1, MINUTE_MS)
        # Dropping old rates only for a new agent keeps this cheap and the record bounded.
        rates = self.rates if agent in self.rates else self._recent(at_ms)
        update = {"rates": rates | {agent: window}, "sequence": self.sequence + 1}
        return self.model_copy(update=update)

    def _recent(self, at_ms: int) -> dict[str, Window]:
        """Return the rates of agents that were active in the last minute."""
        return {a: w for a, w in self.rates.items() if w.total(at_ms, MINUTE_MS)}

    def charged(self, signed: TransactionSigned | MessageSigned) -> "Account":
        """Charge an allocation: its nonce, and for a transaction its value."""
        # A nonce is used from here on, even if the transaction is never broadcast: giving it to a
        # second transaction would let a chain choose between two signed ones.
        nonces = self._used().after(signed)
        update: dict[str, Any] = {"nonces": nonces.highest, "ahead": nonces.ahead or None}
        if isinstance(signed, TransactionSigned):
            update["spent"] = self.spent.add(signed.decided_at_ms, signed.value_wei, SPENT_MS)
        return self.model_copy(update=update)

    def recharged(self, signed: TransactionSigned, now_ms: int) -> "Account":
        """Move the charge of an allocation that is signed late to the time of its signature.

        The old charge is not subtracted if it may have left the window: the sum is never too low.
        """
        window = self.spent.move(signed.decided_at_ms, now_ms, signed.value_wei, SPENT_MS)
        return self.model_copy(update={"spent": window})

    def _used(self) -> AccountNonces:
        return AccountNonces(self.nonces, self.ahead or {})


class LiveIntent(Canonical):
    """The record of one intent until it is done and ``forget_at_ms`` has passed.

    ``request`` is the digest of the request it makes; records of older program versions lack it.
    ``pinned`` is the unsigned outcome until it is published, so that a later boot makes the same
    bytes. ``client_share`` is the sealed share that opens the key for it.
    """

    v: Literal[1] = 1
    type: Literal["live.intent"] = "live.intent"
    account: Name
    intent: Digest
    request: Digest | None = None
    agent: Name
    idempotency_key: IdempotencyKey
    expires_at_ms: ExpiryMs
    decided_at_ms: TimeMs
    forget_at_ms: TimeMs
    sequence: Ordinal
    pinned: PinnedOutcome | None = None
    client_share: ClientShare | None = None

    def done(self) -> "LiveIntent":
        """Return the record once its outcome is published."""
        return self.model_copy(update={"pinned": None, "client_share": None})

    def kept_until(self, at_ms: int) -> "LiveIntent":
        """Return the record kept at least until a time.

        A repetition leaves no record of its own, so the first record must outlive its expiry.
        Otherwise the repetition could be replayed as a new request.
        """
        return self.model_copy(update={"forget_at_ms": max(self.forget_at_ms, at_ms)})

    def marker(self) -> tuple[str, "LiveIntent"]:
        """Return what remains of a record forgotten before its intent expires, with its key.

        One marker serves all intents of an account that were refused as ``expiry_too_far`` and
        expire on one UTC day, or all that an agent had refused over its rate and that expire in one
        minute (ADR 6). It is kept until that day or minute is over.
        """
        at_ms = self.expires_at_ms
        far = at_ms - self.decided_at_ms > EXPIRY_MS_MAX
        span_ms = DAY_MS if far else MINUTE_MS
        key = far_key(at_ms) if far else over_rate_key(self.agent, at_ms)
        return key, self.model_copy(update={"forget_at_ms": (at_ms // span_ms + 1) * span_ms})


def owner_key(agent: str, idempotency_key: str) -> str:
    """Name the live record of the first intent that used an idempotency key."""
    return digest("sixgate/idempotency/v1", f"{agent}\x00{idempotency_key}".encode())


def far_key(expires_at_ms: int) -> str:
    """Name the marker of forgotten ``expiry_too_far`` refusals for a day of expiry."""
    return digest("sixgate/far-expiry/v1", b"%d" % (expires_at_ms // DAY_MS))


def over_rate_key(agent: str, expires_at_ms: int) -> str:
    """Name the marker of an agent's forgotten refusals over its rate, for a minute of expiry."""
    return digest("sixgate/over-rate/v1", f"{agent}\x00{expires_at_ms // MINUTE_MS}".encode())
