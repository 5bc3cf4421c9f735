"""Answers of brokers that do not know a new topic yet."""

import pytest
from aiokafka.errors import TopicAuthorizationFailedError, UnknownTopicOrPartitionError

from streams.kafka.admin import settings_of

TOPIC = 2
KNOWN = (0, None, TOPIC, "outcomes", [("retention.ms", "-1", False, False, False)])


def refused(error: type[Exception]) -> tuple[object, ...]:
    return (error.errno, "", TOPIC, "registry", [])  # type: ignore[attr-defined]


def test_a_topic_unknown_to_the_answering_broker_counts_as_absent() -> None:
    described = [refused(UnknownTopicOrPartitionError), KNOWN]
    assert settings_of(described) == {"outcomes": {"retention.ms": "-1"}}


def test_any_other_refusal_is_raised() -> None:
    with pytest.raises(TopicAuthorizationFailedError):
        settings_of([KNOWN, refused(TopicAuthorizationFailedError)])
