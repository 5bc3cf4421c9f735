"""Wipeable buffers: secrets are stored in bytearrays, as Python can overwrite nothing else.

Limits: the immutable ``bytes`` that a source of randomness or a cloud SDK returns stay in freed
memory until it is reused, and wiping does not reach pages that were swapped out.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from signer.custody.errors import RandomnessError

RandomBytes = Callable[[int], bytes]
"""A source of randomness: returns exactly the requested number of unpredictable bytes."""


def draw(random_bytes: RandomBytes, size_bytes: int) -> bytearray:
    """Draw a buffer that can be wiped; raise ``RandomnessError`` on a short or long answer."""
    drawn = bytearray(random_bytes(size_bytes))
    if len(drawn) != size_bytes:
        wipe(drawn)
        raise RandomnessError(
            f"The source of randomness returned {len(drawn)} bytes instead of {size_bytes}: "
            "repair it."
        )
    return drawn


def wipe(buffer: bytearray) -> None:
    """Overwrite a buffer with zeros, in place."""
    buffer[:] = bytes(len(buffer))


@contextmanager
def wiping(buffer: bytearray) -> Iterator[bytearray]:
    """Yield a buffer and wipe it afterwards, also if the block raises.

    A traceback that prints local variables is rendered later and shows zeros.
    """
    try:
        yield buffer
    finally:
        wipe(buffer)
