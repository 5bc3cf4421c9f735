"""Test sizes: small in ``make test``, hours of work with ``SIXGATE_SOAK=1``.

``make soak`` sets it before a release. The small sizes cover every kind of attack and every point
of a kill; the large ones repeat them until rare interleavings are likely to occur.

Set ``SIXGATE_SEED`` to repeat a run; a failed test prints its seed, Hypothesis prints its own.
``pytest -s`` shows the progress of long tests.
"""

import hashlib
import os
import secrets
import sys
from typing import Final

from hypothesis import settings

SOAK: Final = os.environ.get("SIXGATE_SOAK") == "1"
SEED: Final = os.environ.get("SIXGATE_SEED", secrets.token_hex(4))


def sized(small: int, large: int) -> int:
    """Return ``large`` in a soak, else ``small``."""
    return large if SOAK else small


KILLS: Final = sized(10, 500)
"""SIGKILLs of the embedded node."""
LEDGER_KILLS: Final = sized(4, 100)
"""SIGKILLs of a process that appends to the ledger, on the embedded engine and on a server."""
SCALED_KILLS: Final = sized(4, 100)
"""SIGKILLs of a process on Kafka: one of each process in a small run."""
SCALED_INTENTS: Final = sized(100, 500)
"""Intents submitted before each SIGKILL."""
BUS_MESSAGES: Final = sized(5_000, 1_000_000)
"""Messages of an attacker with write access to every topic."""
FIGHTS: Final = sized(3, 30)
"""Number of times that two signers of one slot start at the same moment."""
OUTAGES: Final = sized(2, 100)
"""Consecutive broker outages; the test runs only in a soak."""
EXAMPLES: Final = sized(100, 1_000)
"""Hypothesis examples per property."""


def effort(share: float, soak: float | None = None) -> settings:
    """Scale the number of examples: below 1 for an expensive property, above 1 for a large space.

    ``soak`` replaces ``share`` in a soak.
    """
    assert settings.default is not None
    if SOAK and soak is not None:
        share = soak
    return settings(max_examples=max(1, int(settings.default.max_examples * share)))


def drawn(what: str, below: int) -> int:
    """Draw a number from 0 to ``below`` - 1; the same seed and ``what`` give the same number."""
    found = hashlib.sha256(f"{SEED}/{what}".encode()).digest()
    return int.from_bytes(found[:4], "big") % below


def show(done: int, total: int, what: str) -> None:
    """Print the progress of a long test."""
    sys.stdout.write(f"{done:,} of {total:,}: {what} (SIXGATE_SEED={SEED})\n")
    sys.stdout.flush()
