import pytest

from schemas.topics import INTERNAL_BYTES_MAX, SUBMITTED_BYTES_MAX, TOPICS, Topic


def test_all_but_the_exempt_topics_are_keyed_by_account() -> None:
    exempt = {topic for topic, spec in TOPICS.items() if not spec.keyed}
    assert exempt == {Topic.UNATTRIBUTED, Topic.REGISTRY, Topic.HEADS, Topic.AUDIT}


def test_the_ledger_holds_all_but_the_state_and_its_own_heads() -> None:
    left_out = {topic for topic, spec in TOPICS.items() if not spec.in_ledger}
    assert left_out == {Topic.STATE, Topic.HEADS}


def test_only_the_signer_writes_what_counts() -> None:
    counting = (Topic.OUTCOMES, Topic.SIGNED, Topic.STATE, Topic.VAULT)
    assert {TOPICS[topic].writer for topic in counting} == {"signer"}


@pytest.mark.parametrize("topic", Topic)
def test_producers_are_held_to_256_kib_and_everyone_else_to_2_mib(topic: Topic) -> None:
    submitted = topic is Topic.SUBMITTED
    assert TOPICS[topic].value_bytes_max == (
        SUBMITTED_BYTES_MAX if submitted else INTERNAL_BYTES_MAX
    )


def test_only_the_state_is_compacted() -> None:
    assert [topic for topic, spec in TOPICS.items() if spec.compacted] == [Topic.STATE]
