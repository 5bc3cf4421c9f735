"""Waits for a state that another thread brings about."""

import time
from collections.abc import Callable

import pytest

# Far more than any state takes on a busy machine; a wait ends when the state comes.
WAIT_S_MAX = 60


def wait_until(holds: Callable[[], bool]) -> None:
    """Return when ``holds()`` is true; fail the test if that takes a minute."""
    ends_at_s = time.monotonic() + WAIT_S_MAX
    while not holds():
        if time.monotonic() > ends_at_s:
            pytest.fail(f"the state did not come in {WAIT_S_MAX} s")
        time.sleep(0.01)
