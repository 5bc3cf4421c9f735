"""Who may do what on Kafka: an identity per process, everything else denied."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from schemas.topics import PROCESSES, TOPICS, Principal, TopicSpec

GATES_GROUP = "sixgate-gates"
CONSUMER_GROUPS = "sixgate-consumers"
SIGNER_TRANSACTIONS = "sixgate-signer"
CLUSTER = "kafka-cluster"  # Kafka's own name of the one cluster resource


class Resource(IntEnum):
    """Kafka's codes of what rights are on."""

    TOPIC = 2
    GROUP = 3
    CLUSTER = 4
    TRANSACTIONAL_ID = 5


class Pattern(IntEnum):
    """Kafka's codes of how a resource is named; ``*`` as a literal names all."""

    LITERAL = 3
    PREFIXED = 4


class Operation(IntEnum):
    """Kafka's codes of what may be done."""

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
    """One right, given from any host."""

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


@dataclass(frozen=True, slots=True)
class MissingAcl:
    """A right without which a process cannot work."""

    acl: Acl

    def __str__(self) -> str:
        return f"{self.acl} is missing: give it"


@dataclass(frozen=True, slots=True)
class SurplusAcl:
    """A right on what is ours, or of who is ours, that nobody declared."""

    acl: Acl

    def __str__(self) -> str:
        return f"{self.acl} is not declared: take it away"


def user(principal: Principal) -> str:
    """Return a principal as Kafka names it."""
    return f"User:{principal}"


def declared_acls() -> frozenset[Acl]:
    """Return every right; what is not in it is denied."""
    return frozenset([*_topic_acls(), *_group_acls(), *_transaction_acls(), *_cluster_acls()])


def diff_acls(declared: Iterable[Acl], found: Iterable[Acl]) -> list[MissingAcl | SurplusAcl]:
    """Return the rights to give and to take; rights that are no concern of ours are left alone."""
    wanted, there = frozenset(declared), frozenset(found)
    missing = [MissingAcl(acl) for acl in sorted(wanted - there)]
    return [*missing, *(SurplusAcl(acl) for acl in sorted(there - wanted) if concerns_us(acl))]


def concerns_us(acl: Acl) -> bool:
    """Tell whether a right belongs to a principal of ours, or reaches a resource of ours."""
    if acl.principal in _OUR_USERS:
        return True
    return any(reaches(acl, name) for name in _OUR_NAMES.get(acl.resource, ()))


def reaches(acl: Acl, name: str) -> bool:
    """Tell whether a right is on what we call ``name``, which is of the right's resource."""
    if name in _OUR_PREFIXES and acl.name.startswith(name):
        return True
    if acl.pattern is Pattern.PREFIXED:
        return name.startswith(acl.name)
    return acl.name in ("*", name)


_OUR_USERS = {user(principal) for principal in Principal}
_OUR_PREFIXES = {CONSUMER_GROUPS, SIGNER_TRANSACTIONS}
_OUR_NAMES: dict[Resource, list[str]] = {
    Resource.TOPIC: [topic.value for topic in TOPICS],
    Resource.GROUP: [GATES_GROUP, CONSUMER_GROUPS],
    Resource.TRANSACTIONAL_ID: [SIGNER_TRANSACTIONS],
}


def _topic_acls() -> Iterable[Acl]:
    for topic, spec in TOPICS.items():
        for principal, operation in _on_topic(spec):
            yield Acl(user(principal), operation, Resource.TOPIC, topic.value)


def _on_topic(spec: TopicSpec) -> Iterable[tuple[Principal, Operation]]:
    """Let a process also read the settings of its topics, so that it can refuse weaker ones.

    Operators ask where the ledger's topics end, so that they know when the ledger is level.
    """
    for writer in spec.writers:
        yield writer, Operation.WRITE
    for reader in spec.readers:
        yield reader, Operation.READ
    for process in PROCESSES & (spec.writers | spec.readers):
        yield process, Operation.DESCRIBE_CONFIGS
    if spec.in_ledger and not spec.used_by(Principal.OPERATORS):
        yield Principal.OPERATORS, Operation.DESCRIBE


def _group_acls() -> Iterable[Acl]:
    group = Resource.GROUP
    yield Acl(user(Principal.GATES), Operation.READ, group, GATES_GROUP)
    yield Acl(user(Principal.OPERATORS), Operation.DESCRIBE, group, GATES_GROUP)
    yield Acl(user(Principal.CONSUMERS), Operation.READ, group, CONSUMER_GROUPS, Pattern.PREFIXED)


def _transaction_acls() -> Iterable[Acl]:
    """DESCRIBE comes with WRITE."""
    yield Acl(
        user(Principal.SIGNER),
        Operation.WRITE,
        Resource.TRANSACTIONAL_ID,
        SIGNER_TRANSACTIONS,
        Pattern.PREFIXED,
    )


def _cluster_acls() -> Iterable[Acl]:
    """Let a process read the rights, so that it can refuse to start where others may write."""
    for process in PROCESSES:
        yield Acl(user(process), Operation.DESCRIBE, Resource.CLUSTER, CLUSTER)
