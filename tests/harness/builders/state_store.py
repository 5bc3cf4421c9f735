"""The signer's state store as a dictionary, with the contract of the real one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from signer.stage.state import StateKey, StateWrite


@dataclass
class DictStateStore:
    """A ``StateStore`` whose committed records survive a crash.

    ``versions`` keeps every value that a key ever had, as an attacker would.
    """

    records: dict[StateKey, StateWrite] = field(default_factory=dict)
    versions: dict[StateKey, list[bytes]] = field(default_factory=dict)

    def commit(self, writes: Sequence[StateWrite]) -> None:
        """Store a batch; assert that each key is written once."""
        assert len({write.key for write in writes}) == len(writes)
        for write in writes:
            if write.value is None:
                self.records.pop(write.key, None)
            else:
                self.put(write)
                self.versions.setdefault(write.key, []).append(write.value)

    def put(self, write: StateWrite) -> None:
        self.records[write.key] = write

    def get(self, key: StateKey) -> bytes | None:
        write = self.records.get(key)
        return write.value if write else None

    def live_of(self, account: str) -> Iterable[tuple[StateKey, bytes]]:
        for write in self._live(account):
            if write.value is not None:
                yield write.key, write.value

    def pending_accounts(self) -> list[str]:
        return sorted({write.key.account for write in self.records.values() if write.pending})

    def forgettable(self, account: str, now_ms: int, count_max: int) -> list[StateKey]:
        past = [
            write.key
            for write in self._live(account)
            if not write.pending and write.forget_at_ms is not None and write.forget_at_ms < now_ms
        ]
        return past[:count_max]

    def _live(self, account: str) -> list[StateWrite]:
        keys = [key for key in self.records if (key.account, key.kind) == (account, "live")]
        return [self.records[key] for key in keys]
