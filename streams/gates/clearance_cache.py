"""What the gates of one process wrote for each other, so that none decodes what another encoded."""

from typing import NamedTuple

from schemas.clearance import Clearance
from schemas.intent import AnyIntent

COUNT_MAX = 4_096
BYTES_MAX = 8 * 1024


class Opened(NamedTuple):
    """A clearance and the intent in its envelope, which it names."""

    clearance: Clearance
    intent: AnyIntent


class ClearanceCache:
    """Clearances by their bytes; the oldest go first where there are too many.

    What bytes say does not depend on who put them on a topic, so whoever reads the same bytes may
    take what is kept here: that the intent is proven and where it belongs is checked again.
    """

    def __init__(self) -> None:
        self._opened: dict[bytes, Opened] = {}

    def keep(self, value: bytes, opened: Opened) -> None:
        """Keep what ``value`` is the encoding of."""
        if len(value) <= BYTES_MAX:
            self._opened[value] = opened
            if len(self._opened) > COUNT_MAX:
                del self._opened[next(iter(self._opened))]

    def take(self, value: bytes) -> Opened | None:
        """Return what is kept of these bytes, once."""
        return self._opened.pop(value, None)
