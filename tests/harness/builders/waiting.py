"""Waits for a condition that another thread or process makes true."""

import time
from collections.abc import Callable

import pytest

# Far above the time needed on a busy machine; a wait ends as soon as the condition holds.
WAIT_S_MAX = 180


def until(holds: Callable[[], bool], within_s: float = WAIT_S_MAX) -> None:
    """Return when ``holds()`` is true; fail the test after the timeout."""
    ends_at_s = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > ends_at_s:
            pytest.fail(f"the state did not come in {within_s} s")
        time.sleep(0.02)
