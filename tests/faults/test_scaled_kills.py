"""SIGKILL of every process at random, on a real broker and a real ClickHouse server.

``SIXGATE_SCALED_KILLS`` sets how many, 20 in CI, ``SIXGATE_SCALED_INTENTS`` the intents before
each; ``SIXGATE_SEED`` repeats a run. ``pytest -s`` shows the progress.
"""

import hashlib
import os
import secrets
import time

from schemas.record import Outgoing
from schemas.topics import Topic
from tests.harness.builders.progress import show
from tests.harness.judge.outside import check
from tests.harness.pipeline.embedded import ACCOUNT, STRANGER, Producer
from tests.harness.pipeline.scaled import Scaled, all_ended, on_kafka
from tests.harness.pipeline.scaled_ledger import ledger_level

KILLS = int(os.environ.get("SIXGATE_SCALED_KILLS", "20"))
SEED = os.environ.get("SIXGATE_SEED", secrets.token_hex(4))
INTENTS_PER_LIFE = int(os.environ.get("SIXGATE_SCALED_INTENTS", "250"))
LIFE_MS_MIN, LIFE_MS_MAX = 200, 3_000


def drawn(number: int, what: str, below: int) -> int:
    """Draw a number: the same for the same seed."""
    found = hashlib.sha256(f"{SEED}/{number}/{what}".encode()).digest()
    return int.from_bytes(found[:4], "big") % below


def submit(scaled: Scaled, trader: Producer, life: int) -> None:
    """Append good intents, ones that rules refuse, a replay and garbage."""
    values = [trader.signed(f"{life}-{n}", value_wei=10**9) for n in range(INTENTS_PER_LIFE)]
    values += [trader.signed(f"{life}-no", to=STRANGER), values[0], b"garbage %d" % life]
    scaled.send([Outgoing(Topic.SUBMITTED, ACCOUNT, value) for value in values])


def test_no_kill_loses_an_intent_signs_one_twice_or_breaks_the_ledger(
    scaled_with_ledger: Scaled, trader: Producer
) -> None:
    scaled = scaled_with_ledger
    names = scaled.names
    scaled.start_all()
    for life in range(KILLS):
        submit(scaled, trader, life)
        time.sleep((LIFE_MS_MIN + drawn(life, "ms", LIFE_MS_MAX - LIFE_MS_MIN)) / 1000)
        name = names[drawn(life, "name", len(names))]
        scaled.kill(name)
        scaled.start(name)
        show(life + 1, KILLS, f"{name} was killed")
    for name in names:
        scaled.await_ready(name)
    scaled.await_caught_up("gates", "signer", "ledger")
    scaled.settle(all_ended)
    found = check(on_kafka(scaled.servers), settled=True)
    assert len(found.intents) == KILLS * (INTENTS_PER_LIFE + 1), f"seed {SEED}"
    assert len(found.signed) == KILLS * INTENTS_PER_LIFE, f"seed {SEED}"
    ledger_level(scaled).judge()
    scaled.stop_all()
