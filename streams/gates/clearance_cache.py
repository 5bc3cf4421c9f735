"""Cache of clearances this process wrote, so that its next gate need not decode them."""

from typing import NamedTuple

from schemas.clearance import Clearance
from schemas.intent import AnyIntent

COUNT_MAX = 4_096
BYTES_MAX = 8 * 1024


class DecodedClearance(NamedTuple):
    """A decoded clearance and the intent that it names and carries."""

    clearance: Clearance
    intent: AnyIntent


class ClearanceCache:
    """Decoded clearances by their bytes, at most ``COUNT_MAX``; the oldest are evicted first.

    Decoding depends on the bytes alone, so equal bytes from any writer may use an entry. The next
    gate still checks agent and partition.
    """

    def __init__(self) -> None:
        self._entries: dict[bytes, DecodedClearance] = {}

    def put(self, value: bytes, decoded: DecodedClearance) -> None:
        """Add the decoded form of ``value``."""
        if len(value) <= BYTES_MAX:
            self._entries[value] = decoded
            if len(self._entries) > COUNT_MAX:
                del self._entries[next(iter(self._entries))]

    def take(self, value: bytes) -> DecodedClearance | None:
        """Remove and return the decoded form of ``value``, if cached."""
        return self._entries.pop(value, None)
