"""Faults that tests can switch on in the stand-ins of the clouds' KMSs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum, auto

HANG_S_MAX = 30.0
LATE_S = 0.2
DRIP_S = 0.1


class Fault(StrEnum):
    DENY = auto()
    THROTTLE = auto()
    FAIL = auto()
    HANG = auto()
    DRIP = auto()
    LATE = auto()
    CLOSE = auto()
    GARBAGE = auto()
    BAD_CHECKSUM = auto()
    UNVERIFIED = auto()
    OTHER_PLAINTEXT = auto()
    OTHER_KEY = auto()


class Faults:
    """One fault at a time, for every request to a stand-in."""

    def __init__(self) -> None:
        self.now: Fault | None = None
        self.asked = 0
        self._late_s = LATE_S
        self._over = threading.Event()

    @contextmanager
    def on(self, fault: Fault, late_s: float = LATE_S) -> Iterator[None]:
        """Inject a fault; a late answer comes after ``late_s`` or at the end of the block."""
        self.now, self._late_s, self._over = fault, late_s, threading.Event()
        try:
            yield
        finally:
            self.now = None
            self._over.set()

    def meet(self) -> Fault | None:
        """Count a request and return the current fault."""
        self.asked += 1
        return self.now

    def wait(self) -> None:
        """Do not answer until the fault ends."""
        self._over.wait(HANG_S_MAX)

    def be_late(self) -> None:
        """Delay an answer."""
        self._over.wait(self._late_s)

    def pause(self, seconds: float) -> bool:
        """Wait briefly; return whether the fault is still on."""
        return not self._over.wait(seconds)


def other(plaintext: bytes) -> bytes:
    """Return another plaintext of the same length and form: a share stays a valid share."""
    return plaintext[:-1] + bytes((plaintext[-1] ^ 0xFF,))
