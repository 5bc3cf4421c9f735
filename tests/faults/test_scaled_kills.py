"""SIGKILLs of every process at random moments, on a real broker and a real ClickHouse server.

Every process is killed equally often, in random order; ``tests/harness/sizes.py`` sets the number
of kills and of intents meanwhile.
"""

import time

from schemas.record import Outgoing
from schemas.topics import Topic
from tests.harness.judge.promises import check
from tests.harness.pipeline.embedded import ACCOUNT, STRANGER, Producer
from tests.harness.pipeline.ledger_wait import await_ledger
from tests.harness.pipeline.scaled import Scaled, all_ended, on_kafka
from tests.harness.sizes import SCALED_INTENTS, SCALED_KILLS, SEED, drawn, show

LIFE_MS_MIN, LIFE_MS_MAX = 200, 3_000
# 16 of these fit into the daily limit of 5 ETH and leave room for all the small ones.
LARGE_WEI, LARGE_PER_LIFE, LARGE_SIGNED_MAX = 3 * 10**17, 5, 16


def victims(names: list[str]) -> list[str]:
    """Return the order of kills; each round has every process once."""
    rounds = range(-(-SCALED_KILLS // len(names)))
    drawn_first = [sorted(names, key=lambda name: drawn(f"{name}-{n}", 2**32)) for n in rounds]
    return [name for one in drawn_first for name in one][:SCALED_KILLS]


def submit(scaled: Scaled, trader: Producer, life: int) -> None:
    """Append small and large intents, a forbidden recipient, a replay, garbage, a repetition."""
    values = [trader.signed(f"{life}-{n}", value_wei=10**9) for n in range(SCALED_INTENTS)]
    values += [
        trader.signed(f"{life}-large-{n}", value_wei=LARGE_WEI) for n in range(LARGE_PER_LIFE)
    ]
    values += [trader.signed(f"{life}-no", to=STRANGER), values[0], b"garbage %d" % life]
    later_ms = trader.now_ms() + 700_000
    values += [trader.signed(f"{life}-1", value_wei=10**9, expires_at_ms=later_ms)]
    scaled.send([Outgoing(Topic.SUBMITTED, ACCOUNT, value) for value in values])


def test_no_kill_loses_or_repeats_an_intent_exceeds_the_limit_or_breaks_the_ledger(
    scaled_with_ledger: Scaled, trader: Producer
) -> None:
    scaled = scaled_with_ledger
    scaled.start_all()
    for life, name in enumerate(victims(scaled.names)):
        scaled.await_ready(name)
        submit(scaled, trader, life)
        # The kill comes at a random moment of a burst.
        time.sleep((LIFE_MS_MIN + drawn(f"ms-{life}", LIFE_MS_MAX - LIFE_MS_MIN)) / 1000)
        scaled.kill(name)
        scaled.start(name)
        show(life + 1, SCALED_KILLS, f"{name} was killed")
    for name in scaled.names:
        scaled.await_ready(name)
    scaled.await_caught_up("gates", "signer", "ledger")
    scaled.settle(all_ended)
    found = check(on_kafka(scaled.broker), settled=True)
    submitted = SCALED_KILLS * (SCALED_INTENTS + LARGE_PER_LIFE + 2)
    assert len(found.intents) == submitted, f"seed {SEED}"
    large = min(SCALED_KILLS * LARGE_PER_LIFE, LARGE_SIGNED_MAX)
    assert len(found.signed) == SCALED_KILLS * SCALED_INTENTS + large, f"seed {SEED}"
    await_ledger(scaled).judge()
    scaled.stop_all()
