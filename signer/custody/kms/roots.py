"""A root key with its former keys, so that blobs under either open during a rotation."""

from contextlib import suppress

from signer.custody.errors import CorruptError, KmsKeyNotFoundError
from signer.custody.kms.port import RootKms


class RotatedRoot:
    """A ``RootKms`` that wraps under its current key and also unwraps blobs of former keys.

    Not every cloud's blob names its key, so the current key is tried first. The bound on a call's
    time is the sum of the bounds of all keys.
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
        """Unwrap with the first key that can; if no key can, raise the current key's error."""
        try:
            return self._current.unwrap(wrapped, context)
        except (KmsKeyNotFoundError, CorruptError):
            for former in self._former:
                with suppress(KmsKeyNotFoundError, CorruptError):
                    return former.unwrap(wrapped, context)
            raise

    def __repr__(self) -> str:
        return f"<Roots {self.key_id}>"
