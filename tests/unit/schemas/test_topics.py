import pytest

from schemas.topics import INTERNAL_BYTES_MAX, SUBMITTED_BYTES_MAX, TOPICS, Principal, Topic


def test_all_but_the_exempt_topics_are_keyed_by_account() -> None:
    exempt = {topic for topic, spec in TOPICS.items() if not spec.keyed}
    assert exempt == {Topic.UNATTRIBUTED, Topic.REGISTRY, Topic.HEADS, Topic.AUDIT}


def test_the_ledger_holds_all_but_the_state_and_its_own_heads() -> None:
    left_out = {topic for topic, spec in TOPICS.items() if not spec.in_ledger}
    assert left_out == {Topic.STATE, Topic.HEADS}


def test_only_the_signer_writes_what_counts() -> None:
    counting = (Topic.OUTCOMES, Topic.SIGNED, Topic.STATE, Topic.VAULT)
    assert {TOPICS[topic].writers for topic in counting} == {frozenset({Principal.SIGNER})}


def test_producers_write_submitted_intents_alone_and_read_nothing() -> None:
    written = [topic for topic, spec in TOPICS.items() if Principal.PRODUCERS in spec.writers]
    assert written == [Topic.SUBMITTED]
    assert not any(Principal.PRODUCERS in spec.readers for spec in TOPICS.values())


def test_consumers_write_nothing() -> None:
    assert not any(Principal.CONSUMERS in spec.writers for spec in TOPICS.values())


def test_the_ledger_reads_what_it_holds() -> None:
    for spec in TOPICS.values():
        assert (Principal.LEDGER in spec.readers) == spec.in_ledger


def test_only_keyed_topics_grow_with_the_partition_count() -> None:
    assert {spec.partitions(12) for spec in TOPICS.values() if spec.keyed} == {12}
    assert {spec.partitions(12) for spec in TOPICS.values() if not spec.keyed} == {1}


@pytest.mark.parametrize("topic", Topic)
def test_producers_are_held_to_256_kib_and_everyone_else_to_2_mib(topic: Topic) -> None:
    submitted = topic is Topic.SUBMITTED
    assert TOPICS[topic].value_bytes_max == (
        SUBMITTED_BYTES_MAX if submitted else INTERNAL_BYTES_MAX
    )


def test_only_the_state_is_compacted() -> None:
    assert [topic for topic, spec in TOPICS.items() if spec.compacted] == [Topic.STATE]
