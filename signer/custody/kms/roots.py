"""A root key and those whose place it took: while a rotation lasts, both open."""

from contextlib import suppress

from signer.custody.errors import CorruptError, KmsKeyNotFoundError
from signer.custody.kms.port import RootKms


class Roots:
    """A ``RootKms`` that wraps under its current key and unwraps what a former one wrapped.

    Which one that was, no blob says in all clouds: the current one is asked first. What it promises
    of time is the sum of what they promise.
    """

    __slots__ = ("_current", "_former")

    def __init__(self, current: RootKms, former: tuple[RootKms, ...]) -> None:
        self._current = current
        self._former = former

    @property
    def key_id(self) -> str:
        """The current key's name."""
        return self._current.key_id

    def wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:
        """Wrap under the current key."""
        return self._current.wrap(plaintext, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        """Unwrap under whichever key wrapped; raise what the current one raised if none did."""
        try:
            return self._current.unwrap(wrapped, context)
        except (KmsKeyNotFoundError, CorruptError):
            for former in self._former:
                with suppress(KmsKeyNotFoundError, CorruptError):
                    return former.unwrap(wrapped, context)
            raise

    def __repr__(self) -> str:
        return f"<Roots {self.key_id}>"
