"""The signer's memory of accounts: verified once when loaded, changed in batches.

An account record commits to its set of live records by their count and by the sum modulo 2^256
of one number per record, so adding, replacing and removing a record is O(1) (Clarke et al.,
Incremental Multiset Hash Functions, 2003, MSet-Add-Hash). Numbers and sum are secret: with the
numbers of some ten thousand records an attacker finds two sets with the same sum (Wagner, A
Generalized Birthday Problem, 2002).
"""

from collections.abc import Callable, Iterator, Mapping

from signer.core.account import Account, LiveIntent
from signer.custody.share_key import ShareKeys
from signer.stage.state import (
    RESTORE,
    Decoded,
    SlotState,
    StateIntegrityError,
    StateKey,
    StateMac,
    StateRollbackError,
    StateStore,
    StateWrite,
)

FORGET_COUNT_MAX = 512
# In canonical bytes only the member itself has these bytes: inside a string the quotes are escaped.
# Decoding every record of an account to count pinned ones would triple the loading time.
_PINNED = b'"pinned":{'


class Memory:
    """Accounts and live intents as of the last drained batch, plus the changes since.

    1. ``begin`` starts a batch.
    2. ``set_account``, ``set_live`` and ``forget`` change it in this process only.
    3. ``drain`` returns all changes, for one transaction of the caller.

    *If the process ends before that transaction commits, the store has no trace of the batch. If it
    ends after that, the next ``Memory`` loads the whole batch.*
    """

    def __init__(self, store: StateStore, state_mac: StateMac, slot: str) -> None:
        self._store = store
        self._state_mac = state_mac
        self._slot_key = StateKey("", "slot", slot)
        self._share_keys = StateKey("", "shares", slot)
        self._accounts: dict[str, Account] = {}
        self._live_sets: dict[str, tuple[int, int]] = {}
        self._touched: set[str] = set()
        self._writes: dict[StateKey, StateWrite] = {}
        self._seen: dict[StateKey, bytes | None] = {}
        self.slot = self._load_slot()

    def begin(self) -> None:
        """Start a batch; forget all cached records except undrained writes."""
        self._seen = {state_key: write.value for state_key, write in self._writes.items()}

    def account(self, name: str) -> Account:
        """Return an account; on first use verify its record and its set of live records."""
        if name not in self._accounts:
            self._accounts[name] = self._load(name)
        return self._accounts[name]

    def check_not_behind(self, newest: Mapping[str, int]) -> None:
        """Raise ``StateRollbackError`` if an account record is older than its newest outcome.

        ``newest`` maps accounts to the sequence of their newest outcome in the ledger.
        """
        for name, sequence in newest.items():
            record = self._accounts.get(name) or self._account_record(name)
            if record is None or record.sequence < sequence:
                raise StateRollbackError(
                    f"the signer's state of {name} ends before outcome {sequence}, which the "
                    "ledger holds: restore a newer copy of the signer's state"
                )

    def set_account(self, account: Account) -> None:
        """Add a changed account to the batch."""
        self._accounts[account.account] = account
        self._touched.add(account.account)

    def live(self, account: str, key: str) -> LiveIntent | None:
        """Return a live record, from the batch or from the store."""
        state_key = StateKey(account, "live", key)
        return self._decode(state_key, self._protected(state_key), LiveIntent)

    def set_live(self, key: str, live: LiveIntent) -> None:
        """Add a new or changed live record to the batch."""
        state_key = StateKey(live.account, "live", key)
        protected = self._state_mac.protect(state_key, live.encode())
        self._count(live.account, self._protected(state_key), protected)
        self._seen[state_key] = protected
        pending = live.pinned is not None
        self._writes[state_key] = StateWrite(state_key, protected, pending, live.forget_at_ms)

    def forget(self, account: str, now_ms: int, is_recorded: Callable[[int], bool]) -> None:
        """Remove live records of an account that are done and past ``forget_at_ms``.

        An intent that has not expired could be decided a second time. So its record leaves a
        marker (ADR 6), and stays until ``is_recorded`` says that the ledger has its outcome, by
        the outcome's sequence.
        """
        for state_key in self._store.forgettable(account, now_ms, FORGET_COUNT_MAX):
            protected = self._protected(state_key)
            live = self._decode(state_key, protected, LiveIntent)
            if live is None or live.pinned is not None or live.forget_at_ms >= now_ms:
                continue
            unexpired = live.expires_at_ms > now_ms
            if unexpired and not is_recorded(live.sequence):
                continue
            self._count(account, protected, None)
            self._seen[state_key] = None
            self._writes[state_key] = StateWrite(state_key, None)
            if unexpired:
                self.set_live(*live.marker())

    def pinned(self) -> Iterator[tuple[str, LiveIntent]]:
        """Yield every intent that is decided but not published, with its record's key."""
        for account in self._store.pending_accounts():
            self.account(account)
            for state_key, protected in list(self._store.live_of(account)):
                live = self._state_mac.decode(state_key, protected, LiveIntent)
                if live.pinned is not None:
                    yield state_key.key, live

    @property
    def changed(self) -> bool:
        """Whether there are changes that no ``drain`` has returned yet."""
        return bool(self._writes or self._touched)

    def share_keys(self) -> ShareKeys | None:
        """Return the slot's share keys as last committed.

        Raises ``StateRollbackError`` unless their version is the one in the slot's record.
        """
        keys = self._decode(self._share_keys, self._store.get(self._share_keys), ShareKeys)
        version = keys.current.version if keys and keys.current else None
        if version != self.slot.share_version:
            raise StateRollbackError(
                f"the signer's share keys have version {version}, but its state recorded "
                f"{self.slot.share_version}: {RESTORE}"
            )
        return keys

    def set_share_keys(self, keys: ShareKeys) -> None:
        """Add changed share keys to the batch."""
        protected = self._state_mac.protect(self._share_keys, keys.encode())
        self._writes[self._share_keys] = StateWrite(self._share_keys, protected)

    def drain(self, slot: SlotState | None = None) -> list[StateWrite]:
        """Return all changes since the last drain, with the record of every changed account.

        The caller must commit them durably or end the process: this memory already counts them.
        """
        # 3. Live records and account records go into one commit: either without the other would
        # fail verification at the next start.
        writes = list(self._writes.values()) + [
            self._protect_account(name) for name in self._touched
        ]
        if slot is not None:
            self.slot = slot
            protected = self._state_mac.protect(self._slot_key, slot.encode())
            writes.append(StateWrite(self._slot_key, protected))
        self._writes.clear()
        self._touched.clear()
        return writes

    def _protect_account(self, name: str) -> StateWrite:
        count, total = self._live_sets[name]
        update = {"live_count": count, "live_digest": self._state_mac.set_digest(total)}
        account = self._accounts[name] = self._accounts[name].model_copy(update=update)
        state_key = StateKey(name, "head", "")
        return StateWrite(state_key, self._state_mac.protect(state_key, account.encode()))

    def _protected(self, state_key: StateKey) -> bytes | None:
        if state_key not in self._seen:
            self._seen[state_key] = self._store.get(state_key)
        return self._seen[state_key]

    def _decode(
        self, state_key: StateKey, protected: bytes | None, model: type[Decoded]
    ) -> Decoded | None:
        return None if protected is None else self._state_mac.decode(state_key, protected, model)

    def _count(self, name: str, before: bytes | None, after: bytes | None) -> None:
        self.account(name)
        self._touched.add(name)
        count, total = self._live_sets[name]
        count += (after is not None) - (before is not None)
        total += self._element(after) - self._element(before)
        self._live_sets[name] = (count, total)

    def _element(self, protected: bytes | None) -> int:
        return self._state_mac.element(protected) if protected is not None else 0

    def _load_slot(self) -> SlotState:
        protected = self._store.get(self._slot_key)
        return self._decode(self._slot_key, protected, SlotState) or SlotState()

    def _account_record(self, name: str) -> Account | None:
        state_key = StateKey(name, "head", "")
        return self._decode(state_key, self._store.get(state_key), Account)

    def _load(self, name: str) -> Account:
        nothing = self._state_mac.set_digest(0)
        account = self._account_record(name) or Account(account=name, live_digest=nothing)
        count = total = pinned = 0
        # Each record has a valid MAC, so it was ours once. Count and sum prove that the set is the
        # one that the account record names: nothing is missing, added or older.
        for state_key, protected in self._store.live_of(name):
            pinned += _PINNED in self._state_mac.verify(state_key, protected)
            count, total = count + 1, total + self._state_mac.element(protected)
        # The index of pending accounts has no MAC. Hiding an account there would leave a pinned
        # outcome unsigned, so the records themselves decide.
        if pinned and name not in self._store.pending_accounts():
            raise StateIntegrityError(
                f"a decided, unpublished outcome of {name} is missing: {RESTORE}"
            )
        if (count, self._state_mac.set_digest(total)) != (account.live_count, account.live_digest):
            raise StateIntegrityError(
                f"the live records of {name} do not match its account record: {RESTORE}"
            )
        self._live_sets[name] = (count, total)
        return account
