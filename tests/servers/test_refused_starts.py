"""Starts of registrar, gates, signer, ledger and custody with a wrong configuration.

Each ends with one sentence (what is wrong and what to do) and the exit code for the operator's
action, and writes nothing to any topic.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from schemas.record import PartitionId
from schemas.topics import TOPICS, Principal, Topic
from signer.custody.event_signing import Ed25519Signer
from sixgate.cli.exit_codes import ExitCode
from streams.kafka.access import Acl, Operation, Resource
from streams.kafka.changes import ChangingAdmin
from streams.kafka.names import Names
from streams.kafka.reader import EndOffsets
from streams.kafka.topics import Replication, declared
from tests.harness.broker.ledger_kafka import await_topics
from tests.harness.cli.command_line import Ended
from tests.harness.cli.forked import ForkedCommandLine
from tests.harness.pipeline.secured import OWN, Secured, secured
from tools.local.certificates import Authority
from tools.local.kafka import Kafka
from tools.local.ports import free_port

Ends: TypeAlias = Mapping[str, Ended]
EVE = "eve"
# For every process one topic that it only reads and one that it writes.
READ = {
    "registrar": Topic.REGISTRY,
    "gates": Topic.SUBMITTED,
    "signer": Topic.DECIDED,
    "ledger": Topic.OUTCOMES,
    "custody": Topic.VAULT,
}
WRITTEN = {
    "registrar": Topic.REGISTRY_HEADS,
    "gates": Topic.CAPPED,
    "signer": Topic.STATE,
    "ledger": Topic.HEADS,
    "custody": Topic.AUDIT,
}


@pytest.fixture(scope="module")
def organisation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    trader = Ed25519Signer("trader", secrets.token_bytes(32))
    with secured(tmp_path_factory.mktemp("secured"), [trader]) as found:
        yield found


@pytest.fixture
def here(organisation: Secured) -> Iterator[Secured]:
    """Yield a correct organisation; afterwards assert that nothing was written."""
    organisation.provision()
    yield organisation
    organisation.provision()
    count = organisation.folder.trust().partitions
    places = [(t, p) for t, spec in TOPICS.items() for p in range(spec.partitions(count))]

    async def ends() -> dict[PartitionId, int]:
        async with EndOffsets(organisation.admin) as found:
            return await found.of(places)

    assert set(asyncio.run(ends()).values()) == {0}


def run_all(here: Secured, *names: str, **changes: Any) -> Ends:
    """Run processes in parallel, each with its own certificate unless another is given."""
    wanted = names or tuple(OWN)
    with ThreadPoolExecutor(len(wanted)) as pool:
        runs = {
            name: pool.submit(here.process, name, here.settings(OWN[name], **changes))
            for name in wanted
        }
        return {name: run.result() for name, run in runs.items()}


def all_say(ends: Ends, code: ExitCode, *words: str) -> None:
    for name, end in ends.items():
        assert (name, end.code) == (name, code), end.err
        for word in words:
            assert word.format(name=name, own=OWN[name]) in end.sentence


@contextmanager
def changed(here: Secured, change: Callable[[ChangingAdmin], Any]) -> Iterator[None]:
    """Change topics or ACLs during the block."""

    async def run() -> None:
        async with ChangingAdmin(here.admin) as admin:
            await change(admin)

    asyncio.run(run())
    try:
        yield
    finally:
        here.provision()


def right(name: str, operation: Operation, topic: Topic) -> Acl:
    return Acl(Names().user(OWN[name]), operation, Resource.TOPIC, topic)


def without(here: Secured, *acls: Acl) -> AbstractContextManager[None]:
    return changed(here, lambda admin: admin.delete_acls(acls))


def with_acls(here: Secured, *acls: Acl) -> AbstractContextManager[None]:
    return changed(here, lambda admin: admin.create_acls(acls))


def test_a_wrong_address(here: Secured) -> None:
    ends = run_all(here, servers=f"127.0.0.1:{free_port()}")
    all_say(ends, ExitCode.UNREACHABLE, "address")


def test_a_certificate_of_another_authority(here: Secured, tmp_path: Path) -> None:
    stranger = Authority(tmp_path).issue(EVE)
    ends = run_all(here, identity=stranger)
    all_say(ends, ExitCode.REFUSED, str(stranger))


def test_brokers_of_another_authority(here: Secured, tmp_path: Path) -> None:
    other = Authority(tmp_path).file
    ends = run_all(here, ca=other)
    all_say(ends, ExitCode.REFUSED, str(other))


def test_a_certificate_of_an_unknown_principal(here: Secured) -> None:
    ends = run_all(here, identity=here.kafka.authority.issue(EVE))
    all_say(ends, ExitCode.REFUSED, "{own}")


def test_a_certificate_of_another_process(here: Secured) -> None:
    other = here.kafka.authority.issue(Principal.REGISTRAR)
    ends = run_all(here, *(name for name in OWN if name != "registrar"), identity=other)
    all_say(ends, ExitCode.WEAKER, "{own}")


def test_a_certificate_of_a_super_user(here: Secured) -> None:
    ends = run_all(here, identity=here.kafka.admin)
    all_say(ends, ExitCode.WEAKER, "not declared", "{own}")


def test_files_that_are_no_certificate(here: Secured, tmp_path: Path) -> None:
    ends = run_all(here, identity=tmp_path / "absent.pem")
    all_say(ends, ExitCode.USAGE, "absent.pem", "[kafka.tls]")


def test_a_missing_topic(here: Secured) -> None:
    with changed(here, lambda _: delete(here, *WRITTEN.values())):
        all_say(run_all(here), ExitCode.WEAKER, "is missing", "sixgate topics apply")


@pytest.mark.parametrize("command", [("services",), ("publish",)], ids=" ".join)
def test_a_missing_topic_ends_commands_and_processes_alike(
    here: Secured, command: tuple[str, ...]
) -> None:
    with changed(here, lambda _: delete(here, Topic.REGISTRY)):
        done = here.run(here.settings(Principal.OPERATORS), *command)
    assert done.code == ExitCode.WEAKER, done.err
    assert "sixgate topics apply" in done.sentence


async def delete(here: Secured, *topics: Topic) -> None:
    assert here.admin.tls
    admin = AIOKafkaAdminClient(
        bootstrap_servers=here.admin.servers,
        security_protocol="SSL",
        ssl_context=here.admin.tls.context(),
    )
    await admin.start()
    try:
        await admin.delete_topics([topic.value for topic in topics])
        await await_topics(admin, lambda there: there.isdisjoint(topics))
    finally:
        await admin.close()


def test_a_weaker_topic(here: Secured) -> None:
    weaker = {topic.value: {"unclean.leader.election.enable": "true"} for topic in READ.values()}
    with changed(here, lambda admin: admin.alter_topics(weaker)):
        ends = run_all(here)
    all_say(ends, ExitCode.WEAKER, "unclean.leader.election.enable=true", "sixgate topics apply")


def test_another_number_of_partitions(here: Secured) -> None:
    """The ledger has no such setting, but all keyed topics must have the same number."""
    with changed(here, lambda _: delete(here, Topic.DECIDED)):
        asyncio.run(create(here, Topic.DECIDED, 3))
        ends = run_all(here, "signer", "ledger")
        asyncio.run(delete(here, Topic.DECIDED))
    all_say(ends, ExitCode.WEAKER, "intents.decided", "partitions=3")


async def create(here: Secured, topic: Topic, partitions: int) -> None:
    (wanted,) = (
        one for one in declared(partitions, Replication(1, 1), Names()) if one.name == topic
    )
    async with ChangingAdmin(here.admin) as admin:
        await admin.create_topics([wanted])


def test_a_missing_read_acl(here: Secured) -> None:
    with without(here, *(right(name, Operation.READ, READ[name]) for name in OWN)):
        ends = run_all(here)
    all_say(ends, ExitCode.WEAKER, "User:{own} READ on topic", "is missing")


def test_a_missing_write_acl(here: Secured) -> None:
    with without(here, *(right(name, Operation.WRITE, WRITTEN[name]) for name in OWN)):
        ends = run_all(here)
    all_say(ends, ExitCode.WEAKER, "User:{own} WRITE on topic", "sixgate topics apply --acls")


def test_a_missing_acl_on_a_group_or_transactional_id(here: Secured) -> None:
    """ACLs on the gates' group and the signer's transactional id."""
    unseen = {Resource.GROUP, Resource.TRANSACTIONAL_ID}

    async def take(admin: ChangingAdmin) -> None:
        ours = {Names().user(Principal.GATES), Names().user(Principal.SIGNER)}
        found = await admin.acls()
        await admin.delete_acls(a for a in found if a.resource in unseen and a.principal in ours)

    with changed(here, take):
        ends = run_all(here, "gates", "signer")
    all_say(ends, ExitCode.WEAKER, "User:{own}", "sixgate-{name}", "is missing")


def test_an_acl_to_write_an_input_topic(here: Secured) -> None:
    with with_acls(here, *(right(name, Operation.WRITE, READ[name]) for name in OWN)):
        ends = run_all(here)
    all_say(ends, ExitCode.WEAKER, "User:{own} WRITE on topic", "not declared")


def test_an_acl_of_another_principal_on_our_topic(here: Secured) -> None:
    acls = [Acl(f"User:{EVE}", Operation.WRITE, Resource.TOPIC, t) for t in WRITTEN.values()]
    with with_acls(here, *acls):
        ends = run_all(here)
    all_say(ends, ExitCode.WEAKER, "User:eve WRITE on topic", "not declared")


def test_a_broker_without_access_control(kafka: Kafka, here: Secured, tmp_path: Path) -> None:
    file = tmp_path / "open.toml"
    heads = f'key = "{here.folder.path}/keys/ledger-0.pem"\nheads = "{tmp_path}/heads"\n'
    file.write_text(
        f'data = "{here.folder.path}"\n[kafka]\nservers = "{kafka.address}"\n'
        f'[clickhouse]\nport = {here.server.port}\n[ledger]\norg = "acme"\n{heads}'
        "[kms]\ninsecure_dev = true\n"
    )
    for words in (["registrar"], ["gates"], ["signer"], ["custody"], ["ledger", "run"]):
        refused = ForkedCommandLine(None).run(*words, "--config", str(file))
        assert refused.code == ExitCode.WEAKER, refused.err
        assert "authorizer.class.name" in refused.sentence
    for words in (
        ["registrar"],
        ["gates"],
        ["signer", "--slots", "0"],
        ["custody"],
        ["ledger", "run"],
    ):
        looked = ForkedCommandLine(None).run(*words, "--config", str(file), "--insecure-dev")
        assert '"event":"kafka.unchecked"' in looked.err
        assert "authorizer" not in looked.err


def test_an_absent_clickhouse(here: Secured) -> None:
    port = free_port()
    ends = run_all(here, "signer", "ledger", clickhouse=port)
    all_say(ends, ExitCode.UNREACHABLE, f"127.0.0.1:{port}")


def test_a_clickhouse_that_refuses_our_user(here: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Secured, "password_of", lambda *_: "not this one")
    ends = run_all(here, "signer", "ledger")
    all_say(ends, ExitCode.REFUSED, "password")
    assert not any("not this one" in end.err for end in ends.values())


def test_an_unpublished_organisation(here: Secured) -> None:
    ends = run_all(here, "registrar", "gates", "signer")
    all_say(ends, ExitCode.HALTED, "sixgate publish")
