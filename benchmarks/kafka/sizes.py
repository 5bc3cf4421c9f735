"""Sizes of each part of the benchmark."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """``rounds`` of each comparison; rates in intents/s, times in seconds."""

    rounds: int
    accounts: int
    warm_up: int
    paced_s: float
    burst: int
    costed: int
    faust: int
    fed_s: float
    state_accounts: int
    ledger_rows: int


FULL = Sizes(
    rounds=3,
    accounts=64,
    warm_up=3_000,
    paced_s=15,
    burst=8_000,
    costed=2_000,
    faust=20_000,
    fed_s=30,
    state_accounts=100_000,
    ledger_rows=5_000_000,
)
QUICK = Sizes(
    rounds=1,
    accounts=4,
    warm_up=20,
    paced_s=0.5,
    burst=1_000,  # large enough for several batches
    costed=20,
    faust=60,
    fed_s=1,
    state_accounts=50,
    ledger_rows=1_000,
)
