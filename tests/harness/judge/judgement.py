"""Checks after an outage: promises 2, 3, 4 and 6; only the used-up limit may reject intents."""

from tests.harness.judge.promises import TopicContents, check
from tests.harness.pipeline.ledger_wait import await_ledger
from tests.harness.pipeline.load import DEAR_WEI, Load
from tests.harness.pipeline.scaled import Scaled, all_ended, on_kafka

DAILY_WEI = 5 * 10**18


def judge(scaled: Scaled, load: Load) -> TopicContents:
    """Wait until every intent has ended; assert promises 2, 3, 4 and 6 for all records."""
    scaled.settle(all_ended)
    for name in scaled.processes:  # unacknowledged events of an outage are published again
        scaled.await_ready(name)
    scaled.await_caught_up(*scaled.processes)
    found = check(on_kafka(scaled.broker), settled=True)
    taken = {intent["idempotency_key"] for intent in found.intents.values()}
    assert load.acknowledged <= taken, "the broker took an intent and lost it"
    _check_limit_reached(found)
    await_ledger(scaled).judge()
    return found


def _check_limit_reached(found: TopicContents) -> None:
    """Assert that no rejected intent would have fitted into the unused rest of the daily limit."""
    dear = [o for o in found.outcomes if int(o["value_wei"]) == DEAR_WEI]
    refused = [o for o in dear if o["type"] == "intent.rejected"]
    assert {o["reason"] for o in refused} <= {"daily_limit_exceeded"}
    spent_wei = sum(int(signed["value_wei"]) for signed in found.signed)
    assert not refused or spent_wei > DAILY_WEI - DEAR_WEI
