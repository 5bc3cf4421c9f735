"""Many random outages of the only broker: killed or frozen, up to half a minute each.

The order matters: a process that recovers from one outage meets the next one. ``SIXGATE_SEED``
repeats a run. Topics and ledger are then checked as after a single outage.
"""

import time
from collections.abc import Iterator

import pytest

from tests.harness.judge.judgement import judge
from tests.harness.pipeline.load import under_load
from tests.harness.pipeline.supervised_organisation import (
    SupervisedOrganisation,
    supervised_organisation,
)
from tests.harness.sizes import OUTAGES, drawn, show

DOWN_MS_MAX = 30_000


@pytest.fixture(scope="module")
def organised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SupervisedOrganisation]:
    with supervised_organisation(tmp_path_factory.mktemp("soak")) as organised:
        yield organised


def suffer(organised: SupervisedOrganisation, number: int) -> str:
    """Make the broker unavailable for a random time; return a description."""
    down_s = drawn(f"outage-{number}-ms", DOWN_MS_MAX) / 1_000
    frozen = bool(drawn(f"outage-{number}-kind", 2))
    (organised.kafka.pause if frozen else organised.kafka.kill)()
    time.sleep(down_s)  # the length of the outage
    (organised.kafka.resume if frozen else organised.kafka.start)()
    return f"{'frozen' if frozen else 'killed'} for {down_s:.1f} s"


def test_consecutive_outages_lose_no_intent_and_keep_limits(
    organised: SupervisedOrganisation,
) -> None:
    with under_load(organised.scaled, organised.trader, "soak") as load:
        for number in range(OUTAGES):
            load.await_decided()
            show(number + 1, OUTAGES, suffer(organised, number))
    judge(organised.scaled, load)
