"""Slow calls: logs a step that took longer than a second, with what it worked on."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

SLOW_MS = 1_000


@contextmanager
def log_slow(log: logging.Logger, event: str, **facts: object) -> Iterator[None]:
    """Log ``event`` as a warning if the block takes ``SLOW_MS`` or more, however it ends."""
    began_s = monotonic()
    try:
        yield
    finally:
        elapsed_ms = round((monotonic() - began_s) * 1000)
        if elapsed_ms >= SLOW_MS:
            log.warning(event, extra=facts | {"elapsed_ms": elapsed_ms})
