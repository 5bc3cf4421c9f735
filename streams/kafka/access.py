"""Kafka ACLs: one principal per process with the least rights; everything else is denied."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from schemas.topics import PROCESSES, TOPICS, Principal, TopicSpec
from streams.kafka.names import Names

GATES_GROUP = "sixgate-gates"
CONSUMER_GROUPS = "sixgate-consumers"
SIGNER_TRANSACTIONS = "sixgate-signer"
CLUSTER = "kafka-cluster"  # Kafka's name of its only cluster resource


class Resource(IntEnum):
    """Kafka's codes of resource types."""

    TOPIC = 2
    GROUP = 3
    CLUSTER = 4
    TRANSACTIONAL_ID = 5


class Pattern(IntEnum):
    """Kafka's codes of resource pattern types; the literal ``*`` matches every name."""

    LITERAL = 3
    PREFIXED = 4


class Operation(IntEnum):
    """Kafka's codes of operations."""

    ALL = 2
    READ = 3
    WRITE = 4
    CREATE = 5
    DELETE = 6
    ALTER = 7
    DESCRIBE = 8
    CLUSTER_ACTION = 9
    DESCRIBE_CONFIGS = 10
    ALTER_CONFIGS = 11
    IDEMPOTENT_WRITE = 12
    CREATE_TOKENS = 13
    DESCRIBE_TOKENS = 14
    TWO_PHASE_COMMIT = 15


class Acl(NamedTuple):
    """One right of a principal, by default from any host."""

    principal: str
    operation: Operation
    resource: Resource
    name: str
    pattern: Pattern = Pattern.LITERAL
    host: str = "*"

    def __str__(self) -> str:
        named = f"{self.name}*" if self.pattern is Pattern.PREFIXED else self.name
        resource = self.resource.name.lower().replace("_", " ")
        from_ = "" if self.host == "*" else f" from {self.host}"
        return f"{self.principal} {self.operation.name} on {resource} {named}{from_}"


class ResourcePattern(NamedTuple):
    """The resources of a right: one name, or all names with a prefix."""

    resource: Resource
    name: str
    pattern: Pattern


@dataclass(frozen=True, slots=True)
class MissingAcl:
    """A declared right that is absent."""

    acl: Acl

    def __str__(self) -> str:
        return f"{self.acl} is missing: add it"


@dataclass(frozen=True, slots=True)
class SurplusAcl:
    """An undeclared right on our resources or of our principals."""

    acl: Acl

    def __str__(self) -> str:
        return f"{self.acl} is not declared: remove it"


def declared_acls(names: Names) -> frozenset[Acl]:
    """Return all rights of an organisation; everything else is denied."""
    return frozenset(
        [
            *_topic_acls(names),
            *_group_acls(names),
            *_transaction_acls(names),
            *_cluster_acls(names),
        ]
    )


def diff_acls(
    declared: Iterable[Acl], found: Iterable[Acl], names: Names
) -> list[MissingAcl | SurplusAcl]:
    """Return the rights to add and to remove; rights of other applications are left alone."""
    wanted, present = frozenset(declared), frozenset(found)
    missing = [MissingAcl(acl) for acl in sorted(wanted - present)]
    surplus = relevant_acls(sorted(present - wanted), names)
    return [*missing, *map(SurplusAcl, surplus)]


def relevant_acls(acls: Iterable[Acl], names: Names) -> list[Acl]:
    """Return the rights of our principals, or on our resources."""
    users = {names.user(principal) for principal in Principal}
    ours = resource_patterns(declared_acls(names))
    return [acl for acl in acls if acl.principal in users or covers_any(acl, ours)]


def resource_patterns(acls: Iterable[Acl]) -> frozenset[ResourcePattern]:
    """Return the resources of rights, without the cluster, which all organisations share."""
    return frozenset(
        ResourcePattern(acl.resource, acl.name, acl.pattern)
        for acl in acls
        if acl.resource is not Resource.CLUSTER
    )


def covers_any(acl: Acl, ours: Iterable[ResourcePattern]) -> bool:
    """Return whether a right covers one of our resources."""
    return any(_covers(acl, one) for one in ours)


def _covers(acl: Acl, ours: ResourcePattern) -> bool:
    if acl.resource is not ours.resource:
        return False
    if ours.pattern is Pattern.PREFIXED and acl.name.startswith(ours.name):
        return True
    if acl.pattern is Pattern.PREFIXED:
        return ours.name.startswith(acl.name)
    return acl.name in ("*", ours.name)


def _topic_acls(names: Names) -> Iterable[Acl]:
    for topic, spec in TOPICS.items():
        for principal, operation in _on_topic(spec):
            yield Acl(names.user(principal), operation, Resource.TOPIC, names.of(topic))


def _on_topic(spec: TopicSpec) -> Iterable[tuple[Principal, Operation]]:
    """Return the declared rights on a topic.

    A process also reads the settings of its topics, to refuse weaker ones. Operators and the
    gateway read the ends of the ledger's topics, to wait until the ledger has caught up.
    """
    for writer in spec.writers:
        yield writer, Operation.WRITE
    for reader in spec.readers:
        yield reader, Operation.READ
    for process in PROCESSES & (spec.writers | spec.readers):
        yield process, Operation.DESCRIBE_CONFIGS
    for waiting in (Principal.OPERATORS, Principal.GATEWAY):
        if spec.in_ledger and not spec.used_by(waiting):
            yield waiting, Operation.DESCRIBE


def _group_acls(names: Names) -> Iterable[Acl]:
    group, gates = Resource.GROUP, names.of(GATES_GROUP)
    yield Acl(names.user(Principal.GATES), Operation.READ, group, gates)
    yield Acl(names.user(Principal.OPERATORS), Operation.DESCRIBE, group, gates)
    consumers = names.of(CONSUMER_GROUPS)
    yield Acl(names.user(Principal.CONSUMERS), Operation.READ, group, consumers, Pattern.PREFIXED)


def _transaction_acls(names: Names) -> Iterable[Acl]:
    """WRITE implies DESCRIBE."""
    yield Acl(
        names.user(Principal.SIGNER),
        Operation.WRITE,
        Resource.TRANSACTIONAL_ID,
        names.of(SIGNER_TRANSACTIONS),
        Pattern.PREFIXED,
    )


def _cluster_acls(names: Names) -> Iterable[Acl]:
    """Let a process read all rights, so that it refuses to start if others can write."""
    for process in PROCESSES:
        yield Acl(names.user(process), Operation.DESCRIBE, Resource.CLUSTER, CLUSTER)
