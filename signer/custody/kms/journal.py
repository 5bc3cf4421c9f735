"""Journal of KMS calls: key, context and result of each, for audit records and logs."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Literal, TypeVar

from signer.custody.kms.port import KeyStatus, ProviderKms, RootKms

T = TypeVar("T")
CallName = Literal["wrap", "unwrap", "check"]


@dataclass(frozen=True, slots=True)
class JournaledCall:
    """One call; ``context`` is its authenticated context, ``failed`` the error type or empty."""

    call: CallName
    key_id: str
    context: bytes
    at_ms: int
    failed: str = ""
    elapsed_ms: int = 0


class KmsJournal:
    """The KMS calls of a process until ``drain``; thread-safe."""

    def __init__(
        self, now_ms: Callable[[], int], on_call: Callable[[JournaledCall], None] = lambda _: None
    ) -> None:
        """``on_call`` gets every call when it ended, to log it."""
        self._now_ms = now_ms
        self._on_call = on_call
        self._calls: deque[JournaledCall] = deque()

    def record(
        self, name: CallName, key_id: str, context: bytes, failed: str = "", elapsed_ms: int = 0
    ) -> None:
        """Add a call that ended."""
        call = JournaledCall(name, key_id, context, self._now_ms(), failed, elapsed_ms)
        self._calls.append(call)
        self._on_call(call)

    def drain(self) -> list[JournaledCall]:
        """Return and clear the calls."""
        return [self._calls.popleft() for _ in range(len(self._calls))]


class JournaledRoot:
    """A ``RootKms`` that records its calls in a journal, also those that fail."""

    __slots__ = ("_journal", "_root")

    def __init__(self, root: RootKms, journal: KmsJournal) -> None:
        self._root = root
        self._journal = journal

    @property
    def key_id(self) -> str:
        """The key's name."""
        return self._root.key_id

    def wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:
        """Wrap as ``RootKms`` promises."""
        return self._recorded("wrap", context, lambda: self._root.wrap(plaintext, context))

    def unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        """Unwrap as ``RootKms`` promises."""
        return self._recorded("unwrap", context, lambda: self._root.unwrap(wrapped, context))

    def _recorded(self, name: CallName, context: bytes, call: Callable[[], T]) -> T:
        began_s = monotonic()

        def record(failed: str) -> None:
            elapsed_ms = round((monotonic() - began_s) * 1000)
            self._journal.record(name, self.key_id, context, failed, elapsed_ms)

        try:
            result = call()
        except Exception as error:
            record(type(error).__name__)
            raise
        record("")
        return result

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.key_id}>"


class JournaledKms(JournaledRoot):
    """A ``ProviderKms`` that records its calls in a journal, also those that fail."""

    __slots__ = ("_kms",)

    def __init__(self, kms: ProviderKms, journal: KmsJournal) -> None:
        super().__init__(kms, journal)
        self._kms = kms

    def check(self) -> KeyStatus:
        """Return the key's state and protection level as ``ProviderKms`` promises."""
        return self._recorded("check", b"", self._kms.check)
