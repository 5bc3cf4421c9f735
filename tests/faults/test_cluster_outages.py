"""One of three brokers, a partition leader, is killed and comes back."""

import asyncio
from collections.abc import Iterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from schemas.topics import Topic
from tests.harness.judge.judgement import judge
from tests.harness.pipeline.embedded_fixtures import HOME
from tests.harness.pipeline.load import under_load
from tests.harness.pipeline.supervised_organisation import (
    SupervisedOrganisation,
    supervised_organisation,
)
from tools.local.server import Server

NODES = 3


@pytest.fixture(scope="module")
def organised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SupervisedOrganisation]:
    with supervised_organisation(tmp_path_factory.mktemp("cluster"), nodes=NODES) as organised:
        yield organised


def leader(organised: SupervisedOrganisation, topic: Topic) -> Server:
    """Return the leader of our account's partition of a topic."""

    async def number() -> int:
        admin = AIOKafkaAdminClient(bootstrap_servers=organised.kafka.address)
        await admin.start()
        try:
            (found,) = await admin.describe_topics([topic.value])
            (at,) = [one for one in found["partitions"] if one["partition"] == HOME]
            return int(at["leader"])
        finally:
            await admin.close()

    return organised.kafka.nodes[asyncio.run(number()) - 1]


def test_a_lost_node_delays_intents_briefly_and_loses_nothing(
    organised: SupervisedOrganisation,
) -> None:
    with under_load(organised.scaled, organised.trader, "lost") as load:
        load.await_decided()
        lost = leader(organised, Topic.STATE)
        lost.kill()
        load.await_decided(bursts=4)
        lost.start()
        load.await_decided()
    judge(organised.scaled, load)
