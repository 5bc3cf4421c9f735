"""Cache of open keys, bounded in number, age, idle time and signatures per key."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Annotated, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field

KeyName = TypeVar("KeyName", bound=Hashable)


class Handle(Protocol):
    """An open key: ``KeyHandle``, or ``AddressHandle`` of a key that does not sign."""

    def sign(self, digest32: bytes) -> bytes:
        """Sign a digest of 32 bytes, or refuse."""
        ...

    def public_key(self) -> bytes:
        """Return the public key, also after ``close``."""
        ...

    def close(self) -> None:
        """Wipe the key."""
        ...


_AtLeastOne = Annotated[int, Field(ge=1)]


class KeyringLimits(BaseModel):
    """Limits of the cache: keys, idle time and age in ms, signatures per key; all inclusive."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    handles_max: _AtLeastOne
    idle_ms_max: _AtLeastOne
    age_ms_max: _AtLeastOne
    uses_max: _AtLeastOne


@dataclass(slots=True)
class _Entry:
    handle: Handle
    opened_at_ms: int
    used_at_ms: int
    uses: int = 0


@dataclass(frozen=True, slots=True)
class RingKey(Generic[KeyName]):
    """A key of a keyring; it signs through the keyring, which may close the handle at any time.

    ``opened`` is whether ``Keyring.key`` opened it; otherwise it was open already.
    """

    ring: "Keyring[KeyName]" = field(repr=False)
    name: KeyName
    opened: bool

    def sign(self, digest32: bytes, /) -> bytes:
        """Sign as ``KeyHandle.sign`` does; raise what opening the key raises."""
        return self.ring.sign(self.name, digest32)

    def public_key(self) -> bytes:
        """Return the public key as its handle does; raise what opening the key raises."""
        return self.ring.public_key(self.name)


class Keyring(Generic[KeyName]):
    """A cache of key handles that closes evicted handles and never hands a handle out.

    ``open_key`` opens a key by its name and may raise; then nothing is cached and no other key is
    evicted. ``clock_ms`` must be monotonic. Keys expire on use only, so an idle process must call
    ``close_expired`` periodically. Not thread-safe: the signer uses one thread.
    """

    def __init__(
        self,
        open_key: Callable[[KeyName], Handle],
        clock_ms: Callable[[], int],
        limits: KeyringLimits,
    ) -> None:
        self._open_key = open_key
        self._clock_ms = clock_ms
        self._limits = limits
        self._entries: OrderedDict[KeyName, _Entry] = OrderedDict()  # least recently used first

    def key(self, name: KeyName) -> RingKey[KeyName]:
        """Open a key if it is not open, and return a ``RingKey`` that signs with it.

        A batch calls this to make sure that its keys open before anything is charged.
        """
        before = self._entries.get(name)
        return RingKey(self, name, opened=self._use(name) is not before)

    def sign(self, name: KeyName, digest32: bytes) -> bytes:
        """Sign a digest as ``KeyHandle.sign`` does, opening the key if it is not open."""
        entry = self._use(name)
        entry.uses += 1
        try:
            return entry.handle.sign(digest32)
        finally:
            if entry.uses >= self._limits.uses_max:
                self._close(name)

    def public_key(self, name: KeyName) -> bytes:
        """Return the public key as its handle does, opening the key if it is not open."""
        return self._use(name).handle.public_key()

    def drop(self, which: Callable[[KeyName], bool]) -> None:
        """Close every open key with a matching name. A later use opens it again."""
        for name in [name for name in self._entries if which(name)]:
            self._close(name)

    def close_expired(self) -> None:
        """Close every key that has been idle or open for too long."""
        now_ms = self._clock_ms()
        expired = [name for name, entry in self._entries.items() if self._expired(entry, now_ms)]
        for name in expired:
            self._close(name)

    def close(self) -> None:
        """Close every key. A later use opens it again."""
        while self._entries:
            self._entries.popitem()[1].handle.close()

    def __len__(self) -> int:
        return len(self._entries)

    def _use(self, name: KeyName) -> _Entry:
        now_ms = self._clock_ms()
        entry = self._entries.get(name)
        if entry is not None and self._expired(entry, now_ms):
            self._close(name)
            entry = None
        if entry is None:
            entry = self._admit(name, now_ms)
        entry.used_at_ms = now_ms
        self._entries.move_to_end(name)
        return entry

    def _admit(self, name: KeyName, now_ms: int) -> _Entry:
        # Open first: while the KMS is down, a key that cannot be opened must not evict an open one.
        entry = _Entry(self._open_key(name), opened_at_ms=now_ms, used_at_ms=now_ms)
        if len(self._entries) >= self._limits.handles_max:
            self._entries.popitem(last=False)[1].handle.close()
        self._entries[name] = entry
        return entry

    def _expired(self, entry: _Entry, now_ms: int) -> bool:
        # A clock that went back makes the age unknown, so the key counts as expired.
        return not (
            now_ms - entry.opened_at_ms <= self._limits.age_ms_max
            and 0 <= now_ms - entry.used_at_ms <= self._limits.idle_ms_max
        )

    def _close(self, name: KeyName) -> None:
        self._entries.pop(name).handle.close()
