"""Ours: what the stand-ins of the clouds' KMSs can be told to do wrong."""

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
    """One fault at a time, for everything that a stand-in is asked."""

    def __init__(self) -> None:
        self.now: Fault | None = None
        self.asked = 0
        self._late_s = LATE_S
        self._over = threading.Event()

    @contextmanager
    def on(self, fault: Fault, late_s: float = LATE_S) -> Iterator[None]:
        """Play a fault; a late answer comes after ``late_s``, or when the fault is over."""
        self.now, self._late_s, self._over = fault, late_s, threading.Event()
        try:
            yield
        finally:
            self.now = None
            self._over.set()

    def meet(self) -> Fault | None:
        """Count a request and return the fault it meets."""
        self.asked += 1
        return self.now

    def wait(self) -> None:
        """Give no answer until the fault is over."""
        self._over.wait(HANG_S_MAX)

    def be_late(self) -> None:
        """Let an answer come late."""
        self._over.wait(self._late_s)

    def pause(self, seconds: float) -> bool:
        """Wait a little; tell whether the fault is still on."""
        return not self._over.wait(seconds)


def other(plaintext: bytes) -> bytes:
    """Another plaintext of the same length and form: a share stays one, of another value."""
    return plaintext[:-1] + bytes((plaintext[-1] ^ 0xFF,))
