"""How much a test does: little in ``make test``, and for hours with ``SIXGATE_SOAK=1``.

``make soak`` sets it before a release. The small sizes keep every kind of attack and every point at
which a process is killed; the large ones repeat them until a rare interleaving is likely to come.

Set ``SIXGATE_SEED`` to repeat a run; a failed test prints its seed, Hypothesis prints its own.
``pytest -s`` shows how far a long test is.
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
    """Return the size of this run."""
    return large if SOAK else small


KILLS: Final = sized(10, 500)
"""SIGKILLs of the embedded node."""
LEDGER_KILLS: Final = sized(4, 100)
"""SIGKILLs of a process that appends to the ledger, on the embedded engine and on a server."""
SCALED_KILLS: Final = sized(4, 100)
"""SIGKILLs of a process on Kafka: one of each process in a small run."""
SCALED_INTENTS: Final = sized(100, 500)
"""Intents submitted before each of those."""
BUS_MESSAGES: Final = sized(5_000, 1_000_000)
"""Messages of a writer with access to every topic."""
FIGHTS: Final = sized(3, 30)
"""Times that two signers of one slot start in one instant."""
OUTAGES: Final = sized(2, 100)
"""Outages of a broker one after another; only a soak has the test."""
EXAMPLES: Final = sized(100, 1_000)
"""Examples of a property."""


def effort(share: float, soak: float | None = None) -> settings:
    """Return settings for an expensive property (below 1) or one with much to find (above).

    ``soak`` is the share in a soak, where a property is worth more time than in ``make test``.
    """
    assert settings.default is not None
    if SOAK and soak is not None:
        share = soak
    return settings(max_examples=max(1, int(settings.default.max_examples * share)))


def drawn(what: str, below: int) -> int:
    """Draw a number for a purpose: the same for the same seed."""
    found = hashlib.sha256(f"{SEED}/{what}".encode()).digest()
    return int.from_bytes(found[:4], "big") % below


def show(done: int, total: int, what: str) -> None:
    """Write a line about a share of the whole."""
    sys.stdout.write(f"{done:,} of {total:,}: {what} (SIXGATE_SEED={SEED})\n")
    sys.stdout.flush()
