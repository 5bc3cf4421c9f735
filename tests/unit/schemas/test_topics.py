import pytest

from schemas.topics import INTERNAL_BYTES_MAX, SUBMITTED_BYTES_MAX, TOPICS, Principal, Topic


def test_every_topic_is_in_the_table() -> None:
    assert set(TOPICS) == set(Topic)


def test_all_but_the_exempt_topics_are_keyed_by_account() -> None:
    exempt = {topic for topic, spec in TOPICS.items() if not spec.keyed}
    assert exempt == {
        Topic.UNATTRIBUTED,
        Topic.REGISTRY,
        Topic.REGISTRY_HEADS,
        Topic.HEADS,
        Topic.AUDIT,
        Topic.BOOTS,
        Topic.RELEASES,
        Topic.API_CALLS,
    }


def test_the_ledger_holds_all_topics_except_state_and_heads() -> None:
    left_out = {topic for topic, spec in TOPICS.items() if not spec.in_ledger}
    assert left_out == {Topic.STATE, Topic.HEADS, Topic.REGISTRY_HEADS}


def test_only_the_signer_writes_its_topics() -> None:
    counting = (Topic.OUTCOMES, Topic.SIGNED, Topic.STATE, Topic.VAULT)
    assert {TOPICS[topic].writers for topic in counting} == {frozenset({Principal.SIGNER})}


def test_producers_only_write_submitted_intents() -> None:
    written = [topic for topic, spec in TOPICS.items() if Principal.PRODUCERS in spec.writers]
    assert written == [Topic.SUBMITTED]
    assert not any(Principal.PRODUCERS in spec.readers for spec in TOPICS.values())


def test_consumers_write_nothing() -> None:
    assert not any(Principal.CONSUMERS in spec.writers for spec in TOPICS.values())


def test_consumers_read_every_end_of_a_submission_and_no_other_topic_of_intents() -> None:
    read = {topic for topic, spec in TOPICS.items() if Principal.CONSUMERS in spec.readers}
    assert read == {Topic.UNATTRIBUTED, Topic.OUTCOMES, Topic.SIGNED, Topic.BOOTS}


def test_the_ledger_reads_its_topics_and_its_published_heads() -> None:
    read = {topic for topic, spec in TOPICS.items() if Principal.LEDGER in spec.readers}
    assert read == {topic for topic, spec in TOPICS.items() if spec.in_ledger} | {Topic.HEADS}


def test_only_keyed_topics_grow_with_the_partition_count() -> None:
    assert {spec.partitions(12) for spec in TOPICS.values() if spec.keyed} == {12}
    assert {spec.partitions(12) for spec in TOPICS.values() if not spec.keyed} == {1}


@pytest.mark.parametrize("topic", Topic)
def test_producers_are_limited_to_256_kib_and_others_to_2_mib(topic: Topic) -> None:
    submitted = topic is Topic.SUBMITTED
    assert TOPICS[topic].value_bytes_max == (
        SUBMITTED_BYTES_MAX if submitted else INTERNAL_BYTES_MAX
    )


def test_only_topics_with_a_newest_value_are_compacted() -> None:
    compacted = [topic for topic, spec in TOPICS.items() if spec.compacted]
    assert compacted == [Topic.STATE, Topic.REGISTRY_HEADS]


def test_only_the_registrar_writes_registry_heads_and_it_writes_no_records() -> None:
    registrar = Principal.REGISTRAR
    written = {topic for topic, spec in TOPICS.items() if registrar in spec.writers}
    assert written == {Topic.REGISTRY_HEADS}
    assert TOPICS[Topic.REGISTRY_HEADS].writers == {registrar}


def test_only_releases_write_releases_and_they_read_nothing() -> None:
    release = Principal.RELEASE
    assert {topic for topic, spec in TOPICS.items() if release in spec.writers} == {Topic.RELEASES}
    assert TOPICS[Topic.RELEASES].writers == {release}
    assert not any(release in spec.readers for spec in TOPICS.values())
