"""ACLs of two organisations on one broker: each is limited to its own prefix."""

import asyncio
from dataclasses import replace

import pytest
from aiokafka.errors import TopicAuthorizationFailedError

from schemas.topics import PROCESSES, TOPICS, Principal, Topic
from streams.kafka.access import Acl, MissingAcl, Operation, Resource
from streams.kafka.broker import Broker, Tls
from streams.kafka.differences import rights_differences
from streams.kafka.names import Names
from streams.kafka.provision import AccessPlan, TopicPlan
from streams.kafka.topics import Replication
from tests.harness.broker.servers import SecureKafka
from tests.harness.cli.forked import ForkedCommandLine

OURS, THEIRS = Names("north."), Names("south.")
PLAN = TopicPlan(1, Replication(1, 1))
CLI = ForkedCommandLine(None)


def speaking(secure: SecureKafka, common_name: str, names: Names) -> Broker:
    identity = secure.authority.issue(common_name)
    tls = Tls(secure.authority.file, identity, identity)
    return Broker(secure.kafka.address, common_name, tls, names)


def administrator(secure: SecureKafka, names: Names) -> Broker:
    tls = Tls(secure.authority.file, secure.admin, secure.admin)
    return Broker(secure.kafka.address, "admin", tls, names)


@pytest.fixture(scope="module")
def both(secure_kafka: SecureKafka) -> SecureKafka:
    for names in (OURS, THEIRS):
        asyncio.run(PLAN.apply(administrator(secure_kafka, names)))
        asyncio.run(AccessPlan().apply(administrator(secure_kafka, names)))
    return secure_kafka


@pytest.mark.parametrize("names", [OURS, THEIRS])
def test_each_organisations_acls_verify(both: SecureKafka, names: Names) -> None:
    admin = administrator(both, names)
    assert asyncio.run(PLAN.differences(admin)) == []
    assert asyncio.run(AccessPlan().differences(admin)) == []


@pytest.mark.parametrize("process", sorted(PROCESSES))
def test_a_process_starts_with_another_organisation_on_the_broker(
    both: SecureKafka, process: Principal
) -> None:
    broker = speaking(both, OURS.of(process), OURS)
    assert asyncio.run(rights_differences(broker, process)) == []


def test_a_certificate_is_valid_for_one_organisation_only(both: SecureKafka) -> None:
    broker = speaking(both, OURS.of(Principal.GATES), THEIRS)
    found = asyncio.run(rights_differences(broker, Principal.GATES))
    writes = Acl(THEIRS.user(Principal.GATES), Operation.WRITE, Resource.TOPIC, "south.audit")
    assert MissingAcl(writes) in found


@pytest.mark.parametrize("principal", [Principal.GATES, Principal.SIGNER, Principal.OPERATORS])
def test_a_principal_writes_only_to_its_own_organisation(
    both: SecureKafka, principal: Principal
) -> None:
    broker = speaking(both, OURS.of(principal), OURS)
    writes = {topic for topic in Topic if principal in TOPICS[topic].writers}
    assert asyncio.run(written(broker)) == writes
    assert asyncio.run(written(replace(broker, names=THEIRS))) == set()


async def written(broker: Broker) -> set[Topic]:
    """Return the topics of the broker's organisation that accept a record."""
    producer, found = broker.producer(), set()
    await producer.start()
    try:
        for topic in Topic:
            try:
                await producer.send_and_wait(broker.names.of(topic), b"{}", b"key", 0)
            except TopicAuthorizationFailedError:
                continue
            found.add(topic)
    finally:
        await producer.stop()
    return found


def test_the_command_accepts_the_prefix(both: SecureKafka) -> None:
    key = str(both.admin)
    tls = ("--ca", str(both.authority.file), "--certificate", key, "--key", key)
    where = ("--kafka", both.kafka.address, *tls, "--partitions", "1", "--replication-factor", "1")
    assert CLI.ok("topics", "verify", *where, "--prefix", OURS.prefix).out == ""
    assert CLI.ok("topics", "verify", *where, "--acls", "--prefix", OURS.prefix).out == ""
    elsewhere = CLI.run("topics", "plan", *where, "--prefix", "west.")
    assert elsewhere.out.startswith("west.intents.submitted is missing")
    assert len(elsewhere.out.splitlines()) == len(Topic)
    refused = CLI.run("topics", "plan", *where, "--prefix", "west")
    assert "--prefix 'west'" in refused.sentence
