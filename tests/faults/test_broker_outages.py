"""The only broker is killed or frozen under load.

Processes may end; a supervisor restarts them as docs/operations.md advises. Afterwards topics and
ledger must prove that nothing was lost, duplicated or signed over a limit.
"""

import time
from collections.abc import Iterator

import pytest

from streams.kafka.broker import REQUEST_MS_MAX, TRANSACTION_MS_MAX
from streams.runners.faust_app import SESSION_S
from tests.harness.judge.judgement import judge
from tests.harness.pipeline.load import under_load
from tests.harness.pipeline.supervised_organisation import (
    SupervisedOrganisation,
    supervised_organisation,
)

DOWN_S = 3
# Longer than the timeouts of requests, transactions and group members.
FROZEN_S = max(REQUEST_MS_MAX / 1_000, TRANSACTION_MS_MAX / 1_000, SESSION_S) + 5


@pytest.fixture(scope="module")
def organised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SupervisedOrganisation]:
    """Return one organisation for all tests; each continues where the previous one ended."""
    with supervised_organisation(tmp_path_factory.mktemp("outages")) as organised:
        yield organised


def test_a_killed_broker_loses_no_intent_and_keeps_limits(
    organised: SupervisedOrganisation,
) -> None:
    with under_load(organised.scaled, organised.trader, "killed") as load:
        for down_s in (0, DOWN_S):
            load.await_decided()
            organised.kafka.kill()
            time.sleep(down_s)  # the length of the outage
            organised.kafka.start()
    judge(organised.scaled, load)


def test_a_frozen_broker_loses_no_intent_and_keeps_limits(
    organised: SupervisedOrganisation,
) -> None:
    with under_load(organised.scaled, organised.trader, "frozen") as load:
        load.await_decided()
        organised.kafka.pause()
        time.sleep(FROZEN_S)  # the length of the outage
        organised.kafka.resume()
        load.await_decided()
    judge(organised.scaled, load)
