"""The signer's sealed state on its compacted topic, and in memory while it runs."""

import heapq
import struct
from collections import defaultdict
from collections.abc import Iterable

from schemas.record import Record
from signer.state import Kind, StateDamaged, StateKey, StateWrite

_HINTS = struct.Struct(">?q")
_KINDS: dict[str, Kind] = {"head": "head", "live": "live", "slot": "slot"}


class StateTable:
    """A ``StateStore``: the newest record of every key, decoded only when it is asked for."""

    def __init__(self) -> None:
        self._heads: dict[StateKey, bytes] = {}
        self._live: dict[str, dict[str, StateWrite]] = defaultdict(dict)
        self._pending: dict[str, set[str]] = defaultdict(set)
        self._ageing: dict[str, list[tuple[int, str]]] = defaultdict(list)

    def apply(self, write: StateWrite) -> None:
        """Take a committed write."""
        if write.key.kind == "live":
            self._apply_live(write)
        elif write.value is None:
            self._heads.pop(write.key, None)
        else:
            self._heads[write.key] = write.value

    def get(self, key: StateKey) -> bytes | None:
        """Return the sealed record at a key."""
        if key.kind != "live":
            return self._heads.get(key)
        found = self._live.get(key.account, {}).get(key.key)
        return found.value if found else None

    def live_of(self, account: str) -> Iterable[tuple[StateKey, bytes]]:
        """Return all live records of an account."""
        live = self._live.get(account, {}).values()
        return [(write.key, write.value) for write in live if write.value is not None]

    def pending_accounts(self) -> list[str]:
        """Return the accounts that have an outcome which may not be published yet."""
        return sorted(account for account, keys in self._pending.items() if keys)

    def forgettable(self, account: str, now_ms: int, count_max: int) -> list[StateKey]:
        """Return live records of an account whose ``forget_at_ms`` has passed."""
        ageing = self._ageing[account]
        past: list[tuple[int, str]] = []
        while ageing and ageing[0][0] < now_ms and len(past) < count_max:
            past.append(heapq.heappop(ageing))
        valid = [entry for entry in dict.fromkeys(past) if self._is_forgettable(account, *entry)]
        for entry in valid:  # they go when their removal is committed, not before
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
    """Return the Kafka key under which compaction keeps the newest record."""
    return "\x00".join(key).encode()


def value_of(write: StateWrite) -> bytes | None:
    """Return a write's hints and its sealed record; None, a tombstone, removes."""
    if write.value is None:
        return None
    forget_at_ms = -1 if write.forget_at_ms is None else write.forget_at_ms
    return _HINTS.pack(write.pending, forget_at_ms) + write.value


def write_of(record: Record) -> StateWrite:
    """Return the write that a record of the state's topic holds; raises ``StateDamaged``."""
    try:
        account, kind, key = record.key.split("\x00")
        place = StateKey(account, _KINDS[kind], key)
        if not record.value:
            return StateWrite(place, None)
        pending, forget_at_ms = _HINTS.unpack_from(record.value)
    except (ValueError, KeyError, struct.error) as error:
        raise StateDamaged(
            f"signer.state/{record.partition} holds at offset {record.offset} what no signer "
            "wrote: find out who may write to it, and restore it from a good copy"
        ) from error
    at_ms = None if forget_at_ms < 0 else forget_at_ms
    return StateWrite(place, record.value[_HINTS.size :], pending, at_ms)
