"""Ours: what the stand-ins of the clouds' KMSs can be told to do wrong."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum, auto

HANG_S_MAX = 30.0
LATE_S = 1.0  # far longer than whatever else a busy machine does meanwhile
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
        self._over = threading.Event()

    @contextmanager
    def on(self, fault: Fault) -> Iterator[None]:
        self.now, self._over = fault, threading.Event()
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

    def pause(self, seconds: float) -> bool:
        """Wait a little; tell whether the fault is still on."""
        return not self._over.wait(seconds)


def other(plaintext: bytes) -> bytes:
    """Another plaintext of the same length and form: a share stays one, of another value."""
    return plaintext[:-1] + bytes((plaintext[-1] ^ 0xFF,))
