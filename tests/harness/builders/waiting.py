"""Waits for a state that another thread or process brings about."""

import time
from collections.abc import Callable

import pytest

# Far more than any state takes on a busy machine; a wait ends when the state comes.
WAIT_S_MAX = 180


def until(holds: Callable[[], bool], within_s: float = WAIT_S_MAX) -> None:
    """Return when ``holds()`` is true; fail the test if that takes too long."""
    ends_at_s = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > ends_at_s:
            pytest.fail(f"the state did not come in {within_s} s")
        time.sleep(0.02)
