"""The signer's authenticated state: records of the compacted topic, and a table in memory.

1. A start reads the slot's partitions to their end into the table (``load``). The slot's former
   signer is fenced before, so nothing is added behind that end.
2. A commit writes changed records to the topic, in one transaction with the events they belong to.
   *If the process ends before the commit, no reader sees them. If it ends after that, the next
   start loads them.*
3. After the commit the table takes the same writes (``apply``). *If the process ends before that,
   the table is lost anyway.*

Records are authenticated by a MAC and verified when they are used, not here. ``pending`` and
``forget_at_ms`` are unauthenticated hints for finding records.
"""

import heapq
import struct
from collections import defaultdict
from collections.abc import Iterable

from schemas.record import Record
from signer.stage.state import Kind, StateIntegrityError, StateKey, StateWrite

_HINTS = struct.Struct(">?q")
_NOT_PENDING = (b"", b"\x00")  # first byte of a tombstone, and of a record that is not pending
_KINDS: dict[str, Kind] = {"head": "head", "live": "live", "slot": "slot", "shares": "shares"}


class StateTable:
    """A ``StateStore`` in memory: the newest record of every key, decoded on first use.

    A start reads the records of all accounts but uses few of them. So ``load`` only stores a
    record, and the first use of its account decodes it.
    """

    def __init__(self) -> None:
        self._loaded: dict[str, dict[str, Record]] = defaultdict(dict)
        self._heads: dict[StateKey, bytes] = {}
        self._live: dict[str, dict[str, StateWrite]] = defaultdict(dict)
        self._pending: dict[str, set[str]] = defaultdict(set)
        self._ageing: dict[str, list[tuple[int, str]]] = defaultdict(list)

    def load(self, record: Record) -> None:
        """Add a record of the state topic (step 1); raises ``StateIntegrityError``."""
        account, _, _ = _named(record)
        self._loaded[account][record.key] = record
        if record.value[:1] not in _NOT_PENDING:
            self._pending[account].add(record.key)
        elif account in self._pending:
            self._pending[account].discard(record.key)

    def apply(self, write: StateWrite) -> None:
        """Add a write that is committed (step 3)."""
        self._decode(write.key.account)
        self._apply(write)

    def _decode(self, account: str) -> None:
        """Decode the loaded records of an account, once."""
        if loaded := self._loaded.pop(account, None):
            # ``load`` filled this from hints; the decoded writes fill it again.
            self._pending.pop(account, None)
            for record in loaded.values():
                self._apply(write_of(record))

    def _apply(self, write: StateWrite) -> None:
        if write.key.kind == "live":
            self._apply_live(write)
        elif write.value is None:
            self._heads.pop(write.key, None)
        else:
            self._heads[write.key] = write.value

    def get(self, key: StateKey) -> bytes | None:
        """Return the record at a key, with its MAC."""
        self._decode(key.account)
        if key.kind != "live":
            return self._heads.get(key)
        found = self._live.get(key.account, {}).get(key.key)
        return found.value if found else None

    def live_of(self, account: str) -> Iterable[tuple[StateKey, bytes]]:
        """Return all live records of an account."""
        self._decode(account)
        live = self._live.get(account, {}).values()
        return [(write.key, write.value) for write in live if write.value is not None]

    def pending_accounts(self) -> list[str]:
        """Return the accounts with outcomes that may not be published yet."""
        for account in [account for account, keys in self._pending.items() if keys]:
            self._decode(account)
        return sorted(account for account, keys in self._pending.items() if keys)

    def forgettable(self, account: str, now_ms: int, count_max: int) -> list[StateKey]:
        """Return live records of an account whose ``forget_at_ms`` has passed."""
        self._decode(account)
        ageing = self._ageing[account]
        past: list[tuple[int, str]] = []
        while ageing and ageing[0][0] < now_ms and len(past) < count_max:
            past.append(heapq.heappop(ageing))
        valid = [entry for entry in dict.fromkeys(past) if self._is_forgettable(account, *entry)]
        # They stay in the heap until their removal is committed: ``apply`` makes them invalid.
        for entry in valid:
            heapq.heappush(ageing, entry)
        return [StateKey(account, "live", key) for _, key in valid]

    def _is_forgettable(self, account: str, at_ms: int, key: str) -> bool:
        write = self._live[account].get(key)
        return write is not None and not write.pending and write.forget_at_ms == at_ms

    def _apply_live(self, write: StateWrite) -> None:
        account, _, key = write.key
        if write.value is None:
            self._live[account].pop(key, None)
        else:
            self._live[account][key] = write
            if write.forget_at_ms is not None and not write.pending:
                heapq.heappush(self._ageing[account], (write.forget_at_ms, key))
        pending = self._pending[account]
        (pending.add if write.pending else pending.discard)(key)


def key_of(key: StateKey) -> bytes:
    """Return the Kafka key of a record; compaction keeps the newest record of each key."""
    return "\x00".join(key).encode()


def value_of(write: StateWrite) -> bytes | None:
    """Return a write's hints, MAC and body; None is a tombstone, which removes the key."""
    if write.value is None:
        return None
    forget_at_ms = -1 if write.forget_at_ms is None else write.forget_at_ms
    return _HINTS.pack(write.pending, forget_at_ms) + write.value


def write_of(record: Record) -> StateWrite:
    """Decode a record of the state topic; raises ``StateIntegrityError``."""
    account, kind, key = _named(record)
    place = StateKey(account, _KINDS[kind], key)
    if not record.value:
        return StateWrite(place, None)
    pending, forget_at_ms = _HINTS.unpack_from(record.value)
    at_ms = None if forget_at_ms < 0 else forget_at_ms
    return StateWrite(place, record.value[_HINTS.size :], pending, at_ms)


def _named(record: Record) -> list[str]:
    """Return account, kind and key of a record; raise ``StateIntegrityError`` for other forms."""
    names = record.key.split("\x00")
    sized = not record.value or len(record.value) >= _HINTS.size
    if len(names) == len(StateKey._fields) and names[1] in _KINDS and sized:
        return names
    raise StateIntegrityError(
        f"signer.state/{record.partition} has a record at offset {record.offset} that no signer "
        "wrote: find out which principals can write to the topic, and restore it from a good copy"
    )
