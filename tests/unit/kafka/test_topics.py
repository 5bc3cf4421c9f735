"""Differences between declared and existing topics."""

from dataclasses import replace

import pytest

from schemas.topics import RETAIN_FOREVER, TOPICS, Topic
from streams.kafka.broker import BATCH_BYTES_MAX
from streams.kafka.names import Names
from streams.kafka.topics import (
    FRAMING_BYTES_MAX,
    ImmutableDifference,
    KafkaTopic,
    MissingTopic,
    Replication,
    WrongSetting,
    declared,
    diff,
)

DECLARED = declared(16, Replication(3, 2), Names())
THERE = {topic.name: topic for topic in DECLARED}


def found(topic: KafkaTopic, **changed: str) -> KafkaTopic:
    settings = {name.replace("_", "."): value for name, value in changed.items()}
    return replace(topic, settings={**topic.settings, **settings})


def differences(one: KafkaTopic) -> list[object]:
    return list(diff(DECLARED, {**THERE, one.name: one}))


def test_declared_topics_have_no_differences() -> None:
    assert diff(DECLARED, THERE) == []


def test_every_topic_of_the_table_is_declared() -> None:
    assert set(THERE) == {topic.value for topic in TOPICS}
    assert diff(DECLARED, {}) == [MissingTopic(topic) for topic in DECLARED]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("retention_ms", "1000"),
        ("retention_bytes", "1073741824"),
        ("min_insync_replicas", "1"),
        ("message_timestamp_type", "CreateTime"),
        ("cleanup_policy", "compact"),
        ("cleanup_policy", "compact,delete"),
        ("max_message_bytes", "1048588"),
        ("unclean_leader_election_enable", "true"),
        ("retention_ms", ""),
        ("retention_ms", "soon"),
    ],
)
def test_a_wrong_setting_is_named(setting: str, value: str) -> None:
    outcomes = THERE[Topic.OUTCOMES]
    name = setting.replace("_", ".")
    assert differences(found(outcomes, **{setting: value})) == [
        WrongSetting(Topic.OUTCOMES, name, value, outcomes.settings[name])
    ]


def test_any_finite_retention_is_wrong_for_a_topic_that_is_kept_for_ever() -> None:
    registry = THERE[Topic.REGISTRY]
    assert registry.settings["retention.ms"] == str(RETAIN_FOREVER)
    assert differences(found(registry, retention_ms=str(10**15)))


@pytest.mark.parametrize(
    ("setting", "value"), [("retention_ms", "-1"), ("min_insync_replicas", "3")]
)
def test_a_stronger_setting_is_left_alone(setting: str, value: str) -> None:
    assert differences(found(THERE[Topic.OUTCOMES], **{setting: value})) == []


@pytest.mark.parametrize("count", [15, 17])
def test_another_partition_count_cannot_be_changed(count: int) -> None:
    other = replace(THERE[Topic.OUTCOMES], partitions=count)
    assert differences(other) == [ImmutableDifference(Topic.OUTCOMES, "partitions", count, 16)]


def test_fewer_copies_cannot_be_changed_and_more_are_left_alone() -> None:
    outcomes = THERE[Topic.OUTCOMES]
    assert differences(replace(outcomes, copies=2)) == [
        ImmutableDifference(Topic.OUTCOMES, "copies", 2, 3)
    ]
    assert differences(replace(outcomes, copies=5)) == []


def test_state_and_heads_are_compacted_in_small_segments_and_nothing_else_is() -> None:
    compacted = [topic for topic in DECLARED if topic.settings["cleanup.policy"] == "compact"]
    assert [topic.name for topic in compacted] == [Topic.STATE, Topic.REGISTRY_HEADS]
    assert {int(topic.settings["segment.bytes"]) for topic in compacted} == {16 * 1024 * 1024}


def test_the_largest_value_fits_with_its_key_and_framing() -> None:
    for topic in DECLARED:
        bytes_max = int(topic.settings["max.message.bytes"])
        assert bytes_max == TOPICS[Topic(topic.name)].value_bytes_max + FRAMING_BYTES_MAX


def test_a_full_batch_fits_into_every_topic() -> None:
    """Brokers apply the limit of one message to a whole batch."""
    assert all(int(topic.settings["max.message.bytes"]) > BATCH_BYTES_MAX for topic in DECLARED)
