"""Kafka topics as declared, and their differences from the existing ones; pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from schemas.topics import INTERNAL_BYTES_MAX, TOPICS, Principal, TopicSpec
from streams.kafka.broker import MESSAGE_BYTES_MAX
from streams.kafka.names import Names

FRAMING_BYTES_MAX = MESSAGE_BYTES_MAX - INTERNAL_BYTES_MAX
# Every start reads state and heads to their end, and Kafka compacts closed segments only.
STATE_SEGMENT_BYTES = 16 * 1024 * 1024
STATE_SEGMENT_MS = 10 * 60 * 1000
UNLIMITED = "-1"
_AT_LEAST = {"retention.ms", "retention.bytes", "min.insync.replicas"}


@dataclass(frozen=True, slots=True)
class Replication:
    """The number of copies of a record, and how many must have it before it is acknowledged."""

    factor: int
    in_sync: int


@dataclass(frozen=True, slots=True)
class KafkaTopic:
    """A topic of Kafka: partitions, copies of each, settings by Kafka's names."""

    name: str
    partitions: int
    copies: int
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class MissingTopic:
    """A topic that does not exist."""

    topic: KafkaTopic

    def __str__(self) -> str:
        made = f"partitions={self.topic.partitions}, copies={self.topic.copies}"
        settings = ", ".join(f"{name}={value}" for name, value in self.topic.settings.items())
        return f"{self.topic.name} is missing: create it with {made}, {settings}"


@dataclass(frozen=True, slots=True)
class WrongSetting:
    """A setting that must be changed."""

    topic: str
    setting: str
    found: str
    declared: str

    def __str__(self) -> str:
        return f"{self.topic} has {self.setting}={self.found}: set {self.declared}"


@dataclass(frozen=True, slots=True)
class ImmutableDifference:
    """A difference that cannot be changed, because the topic's records depend on it."""

    topic: str
    what: str
    found: int
    declared: int

    def __str__(self) -> str:
        return (
            f"{self.topic} has {self.what}={self.found}, not {self.declared}: "
            "this cannot be changed; only a new topic can have another number"
        )


Difference: TypeAlias = MissingTopic | WrongSetting | ImmutableDifference


def declared(
    partitions: int, replication: Replication, names: Names, principal: Principal | None = None
) -> list[KafkaTopic]:
    """Return all topics as declared, with ``partitions`` partitions for keyed ones.

    With ``principal``, only those that it writes or reads: it cannot see others.
    """
    return [
        KafkaTopic(
            names.of(topic),
            spec.partitions(partitions),
            replication.factor,
            _settings(spec, replication),
        )
        for topic, spec in TOPICS.items()
        if principal is None or spec.used_by(principal)
    ]


def diff(declared: Iterable[KafkaTopic], found: Mapping[str, KafkaTopic]) -> list[Difference]:
    """Return the differences of the found topics; more copies or retention is no difference."""
    differences: list[Difference] = []
    for topic in declared:
        if present := found.get(topic.name):
            differences += [*_immutable(topic, present), *_wrong_settings(topic, present)]
        else:
            differences.append(MissingTopic(topic))
    return differences


def _settings(spec: TopicSpec, replication: Replication) -> dict[str, str]:
    cleanup = _compacted() if spec.compacted else {"cleanup.policy": "delete"}
    return {
        **cleanup,
        "retention.ms": str(spec.retention_ms),
        "retention.bytes": UNLIMITED,
        "max.message.bytes": str(spec.value_bytes_max + FRAMING_BYTES_MAX),
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": str(replication.in_sync),
        "unclean.leader.election.enable": "false",
    }


def _compacted() -> dict[str, str]:
    return {
        "cleanup.policy": "compact",
        "segment.bytes": str(STATE_SEGMENT_BYTES),
        "segment.ms": str(STATE_SEGMENT_MS),
        "min.cleanable.dirty.ratio": "0.1",
    }


def _immutable(declared: KafkaTopic, found: KafkaTopic) -> Iterable[ImmutableDifference]:
    if found.partitions != declared.partitions:
        yield ImmutableDifference(
            declared.name, "partitions", found.partitions, declared.partitions
        )
    if found.copies < declared.copies:
        yield ImmutableDifference(declared.name, "copies", found.copies, declared.copies)


def _wrong_settings(declared: KafkaTopic, found: KafkaTopic) -> Iterable[WrongSetting]:
    for setting, value in declared.settings.items():
        present = found.settings.get(setting, "")
        if not (_is_at_least if setting in _AT_LEAST else str.__eq__)(present, value):
            yield WrongSetting(declared.name, setting, present, value)


def _is_at_least(found: str, declared: str) -> bool:
    """Compare counts; -1 means unlimited."""
    if UNLIMITED in (found, declared):
        return found == UNLIMITED
    return found.isdecimal() and int(found) >= int(declared)
