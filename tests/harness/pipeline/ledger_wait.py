"""Waits until the ledger holds every record, then returns its judge."""

import time

from sixgate.data_folder.folder import LEDGER
from sixgate.data_folder.key_files import load_key_file
from streams.ledger.heads import HeadKey
from tests.harness.judge.ledger_judge import LedgerJudge
from tests.harness.pipeline.scaled import Scaled

CAUGHT_UP_S_MAX = 120


def await_ledger(scaled: Scaled) -> LedgerJudge:
    """Wait until the ledger has every record; return its judge."""
    assert scaled.server is not None
    key = HeadKey(load_key_file(scaled.folder.key(LEDGER), LEDGER))
    partitions = scaled.folder.trust().partitions
    judge = LedgerJudge(scaled.broker, scaled.server, key, partitions, scaled.database)
    wanted, ends_at_s = len(judge.records()), time.monotonic() + CAUGHT_UP_S_MAX
    while judge.rows() < wanted:
        assert time.monotonic() < ends_at_s, scaled.log("ledger")
        time.sleep(0.2)
    return judge
