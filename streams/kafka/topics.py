"""What Kafka's topics must be, and how what is there differs from it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from schemas.topics import INTERNAL_BYTES_MAX, TOPICS, Principal, TopicSpec
from streams.kafka.broker import MESSAGE_BYTES_MAX
from streams.kafka.names import Names

FRAMING_BYTES_MAX = MESSAGE_BYTES_MAX - INTERNAL_BYTES_MAX
# State and heads are read to their end at every start, and only closed segments are compacted.
STATE_SEGMENT_BYTES = 16 * 1024 * 1024
STATE_SEGMENT_MS = 10 * 60 * 1000
UNLIMITED = "-1"
_AT_LEAST = {"retention.ms", "retention.bytes", "min.insync.replicas"}


@dataclass(frozen=True, slots=True)
class Replication:
    """How many copies of a record there are, and how many must hold it before it counts."""

    factor: int
    in_sync: int


@dataclass(frozen=True, slots=True)
class KafkaTopic:
    """A topic as Kafka has it: partitions, copies of each, settings by Kafka's names."""

    name: str
    partitions: int
    copies: int
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class MissingTopic:
    """A topic that is not there."""

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
    """A difference that only a new topic could mend, because the records there depend on it."""

    topic: str
    what: str
    found: int
    declared: int

    def __str__(self) -> str:
        return (
            f"{self.topic} has {self.what}={self.found}, not {self.declared}: "
            "only a new topic can have that"
        )


Difference: TypeAlias = MissingTopic | WrongSetting | ImmutableDifference


def declared(
    partitions: int, replication: Replication, names: Names, principal: Principal | None = None
) -> list[KafkaTopic]:
    """Return every topic as it must be where keyed topics have ``partitions`` partitions.

    With ``principal`` only those that it writes or reads, which are all that it can see.
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
    """Return in what the found topics are not, or are less than, the declared ones."""
    differences: list[Difference] = []
    for topic in declared:
        if there := found.get(topic.name):
            differences += [*_fixed(topic, there), *_weaker(topic, there)]
        else:
            differences.append(MissingTopic(topic))
    return differences


def _settings(spec: TopicSpec, replication: Replication) -> dict[str, str]:
    kept = _compacted() if spec.compacted else {"cleanup.policy": "delete"}
    return {
        **kept,
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


def _fixed(declared: KafkaTopic, found: KafkaTopic) -> Iterable[ImmutableDifference]:
    if found.partitions != declared.partitions:
        yield ImmutableDifference(
            declared.name, "partitions", found.partitions, declared.partitions
        )
    if found.copies < declared.copies:
        yield ImmutableDifference(declared.name, "copies", found.copies, declared.copies)


def _weaker(declared: KafkaTopic, found: KafkaTopic) -> Iterable[WrongSetting]:
    for setting, value in declared.settings.items():
        there = found.settings.get(setting, "")
        if not (_reaches if setting in _AT_LEAST else str.__eq__)(there, value):
            yield WrongSetting(declared.name, setting, there, value)


def _reaches(found: str, declared: str) -> bool:
    """Compare counts of which -1 is the greatest."""
    if UNLIMITED in (found, declared):
        return found == UNLIMITED
    return found.isdecimal() and int(found) >= int(declared)
