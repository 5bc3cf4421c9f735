"""Secrets live in bytearrays, because nothing else in Python can be overwritten.

What this cannot reach: the immutable ``bytes`` that a source of randomness or a cloud SDK hands
over, which stay in freed memory until it is used again, and pages the system has swapped out.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from signer.custody.errors import RandomnessError

RandomBytes = Callable[[int], bytes]
"""A source of randomness: returns exactly as many unpredictable bytes as it is asked for."""


def draw(random_bytes: RandomBytes, size_bytes: int) -> bytearray:
    """Draw a buffer that can be wiped; raise ``RandomnessError`` on a short or long answer."""
    drawn = bytearray(random_bytes(size_bytes))
    if len(drawn) != size_bytes:
        wipe(drawn)
        raise RandomnessError(
            f"The source of randomness gave {len(drawn)} bytes instead of {size_bytes}; repair it."
        )
    return drawn


def wipe(buffer: bytearray) -> None:
    """Overwrite a buffer with zeros, in place."""
    buffer[:] = bytes(len(buffer))


@contextmanager
def wiping(buffer: bytearray) -> Iterator[bytearray]:
    """Lend a buffer and wipe it afterwards, also under an exception.

    A traceback that prints local variables is rendered later, and then finds zeros.
    """
    try:
        yield buffer
    finally:
        wipe(buffer)
