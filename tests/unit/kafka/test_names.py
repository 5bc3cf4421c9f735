"""Prefixes of Kafka names: translated both ways, and separate for every organisation."""

import re
import string
from pathlib import Path

import pytest
from aiokafka.errors import TopicAuthorizationFailedError, UnknownTopicOrPartitionError
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from schemas.topics import PROCESSES, Principal, Topic
from sixgate.config.sections import KafkaSettings
from sixgate.services.gates import end_process
from streams.kafka.access import Pattern, Resource, SurplusAcl, declared_acls, diff_acls
from streams.kafka.broker import Broker
from streams.kafka.errors import KafkaDeniedError, KafkaGapError, KafkaTopicMissingError
from streams.kafka.names import PREFIX_CHARS_MAX, RESERVED, Names
from streams.kafka.reader import refuse_gap
from streams.kafka.rights import granted_differences
from streams.kafka.topics import MissingTopic, Replication, declared, diff
from streams.kafka.translation import invisible_topic, translated
from streams.runners.faust_app import gates_app

LETTERS = string.ascii_lowercase + string.digits
TOPIC_CHARS_MAX = 249  # Kafka's
LEGAL = re.compile(r"[a-zA-Z0-9._-]+")
# Names that Sixgate uses itself are the likeliest to collide.
PARTS = st.one_of(
    st.sampled_from([*Topic, *Principal, "sixgate", "signer"]), st.text(LETTERS, min_size=1)
)
PREFIXES = (
    st.lists(st.tuples(PARTS, st.sampled_from(".-")), max_size=3)
    .map(lambda parts: "".join(part + end for part, end in parts))
    .filter(lambda prefix: len(prefix) <= PREFIX_CHARS_MAX and RESERVED not in prefix)
)
WRONG = ["acme", ".", "-", ".acme.", "Acme.", "ac me.", "acme/", "_acme.", "acmé.", "acme.\n"]
TOO_LONG = "a" * PREFIX_CHARS_MAX + "."


@given(PREFIXES, st.sampled_from(Topic), st.integers(0, 1_000))
def test_a_topic_is_the_same_behind_every_prefix(prefix: str, topic: Topic, partition: int) -> None:
    names = Names(prefix)
    at = names.at(topic, partition)
    assert at.topic == prefix + topic.value
    assert names.topic(at.topic) is topic
    assert names.partition_of(at) == (topic, partition)
    assert names.label(at) == f"{topic}/{partition}"


@given(PREFIXES, PREFIXES)
def test_two_organisations_share_no_name(one: str, other: str) -> None:
    assume(one != other)
    ours, theirs = declared_acls(Names(one)), declared_acls(Names(other))
    assert {acl.principal for acl in ours}.isdisjoint(acl.principal for acl in theirs)
    for resource in (Resource.TOPIC, Resource.GROUP, Resource.TRANSACTIONAL_ID):
        named = {acl.name for acl in ours if acl.resource is resource}
        others = {acl.name for acl in theirs if acl.resource is resource}
        assert named.isdisjoint(others)


@settings(max_examples=40)
@given(PREFIXES, PREFIXES, st.sampled_from(sorted(PROCESSES)))
def test_two_organisations_on_a_cluster_ignore_each_other(
    one: str, other: str, process: Principal
) -> None:
    assume(one != other)
    names = Names(one)
    ours = declared_acls(names)
    both = ours | declared_acls(Names(other))
    assert diff_acls(ours, both, names) == []
    assert granted_differences(process, both, names) == []


@given(PREFIXES)
def test_another_organisations_right_on_our_resources_is_surplus(prefix: str) -> None:
    names, eve = Names(prefix), Names("eve.").user(Principal.SIGNER)
    assume(prefix != "eve.")
    ours = declared_acls(names)
    named = {acl for acl in ours if acl.resource is not Resource.CLUSTER}
    theirs = {acl._replace(principal=eve) for acl in ours}
    surplus = [SurplusAcl(acl._replace(principal=eve)) for acl in named]
    assert set(diff_acls(ours, ours | theirs, names)) == set(surplus)


@given(PREFIXES)
def test_kafka_accepts_every_name(prefix: str) -> None:
    names = Names(prefix)
    for topic in Topic:
        assert LEGAL.fullmatch(names.of(topic))
        assert len(names.of(topic)) <= TOPIC_CHARS_MAX
    for principal in Principal:
        assert len(names.of(principal)) <= 64, "X.509's bound on a common name"


def test_the_same_topics_without_the_prefix_are_missing() -> None:
    there = {topic.name: topic for topic in declared(4, Replication(1, 1), Names())}
    wanted = declared(4, Replication(1, 1), Names("acme."))
    assert diff(wanted, there) == [MissingTopic(topic) for topic in wanted]


def test_prefixed_rights_begin_with_the_prefix() -> None:
    acls = declared_acls(Names("acme."))
    named = {acl.name for acl in acls if acl.pattern is Pattern.PREFIXED}
    assert named == {"acme.sixgate-consumers", "acme.sixgate-signer"}


def test_another_organisations_topic_is_refused() -> None:
    with pytest.raises(ValueError, match=r"other\.outcomes .*acme"):
        Names("acme.").topic("other.outcomes")
    with pytest.raises(ValueError, match=r"acme\.outcomes"):
        Names().topic("acme.outcomes")


@pytest.mark.parametrize("prefix", [*WRONG, TOO_LONG, "sixgate-signer-", "acme.sixgate-gates."])
def test_an_invalid_prefix_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix "):
        Names(prefix)
    with pytest.raises(ValueError, match="prefix "):
        KafkaSettings(prefix=prefix)


def test_settings_give_the_broker_its_names() -> None:
    assert KafkaSettings().broker("tests").names == Names("")
    assert KafkaSettings(prefix="acme.").broker("tests").names == Names("acme.")


def test_the_advised_command_makes_topics_behind_the_prefix() -> None:
    assert Names().topics_command("apply") == "sixgate topics apply"
    assert Names().topics_command("apply", acls=True) == "sixgate topics apply --acls"
    names = Names("acme.")
    assert names.topics_command("apply") == "sixgate topics apply --prefix acme."
    assert names.topics_command("apply", acls=True) == "sixgate topics apply --prefix acme. --acls"
    shown = invisible_topic(Topic.REGISTRY, names, ())
    assert isinstance(shown, KafkaTopicMissingError)
    assert "acme.registry" in str(shown)
    assert "run sixgate topics apply --prefix acme., " in str(shown)
    wanted = r"sixgate topics verify --prefix acme\. --acls"
    with pytest.raises(KafkaDeniedError, match=wanted), translated("reading", names):
        raise TopicAuthorizationFailedError
    wanted = r"sixgate topics apply --prefix acme\."
    with pytest.raises(KafkaTopicMissingError, match=wanted), translated("reading", names):
        raise UnknownTopicOrPartitionError


def test_no_other_module_writes_an_advised_command() -> None:
    root = Path(__file__).parents[3]
    folders = ("sixgate/services", "sixgate/operate", "sixgate/backends", "streams")
    found = [path for folder in folders for path in (root / folder).rglob("*.py")]
    written = {path.name for path in found if "sixgate topics" in path.read_text()}
    assert written == {"names.py"}


def test_a_gap_names_the_topic_as_the_cluster_does() -> None:
    refuse_gap(Names("acme.").at(Topic.REGISTRY, 0), 5, 5)
    with pytest.raises(KafkaGapError, match=r"acme\.registry/0 .*\b6\b.*\b5\b"):
        refuse_gap(Names("acme.").at(Topic.REGISTRY, 0), 5, 6)


def test_the_gates_join_their_group_behind_the_prefix() -> None:
    app = gates_app(Broker("127.0.0.1:9", "tests", names=Names("acme.")), "gates-0", end_process)
    assert app.conf.id == "acme.sixgate-gates"
    assert app.conf.consumer_group_instance_id == "acme.gates-0"
    assert app.names == Names("acme.")
