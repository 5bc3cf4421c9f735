"""Whether a process may do what it must and no more, and nobody else what only it may; pure."""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from schemas.topics import Principal
from streams.kafka.access import (
    CLUSTER,
    Acl,
    MissingAcl,
    Operation,
    Resource,
    SurplusAcl,
    covers_any,
    declared_acls,
    diff_acls,
    resource_patterns,
)
from streams.kafka.names import Names

RightDifference: TypeAlias = MissingAcl | SurplusAcl
# A broker tells its rights of these two when it is asked what the asker may do.
REPORTED = {Resource.TOPIC, Resource.CLUSTER}
# Kafka lets who may do any of these describe as well.
_DESCRIBING = {Operation.READ, Operation.WRITE, Operation.DELETE, Operation.ALTER}


def may_read_rights(principal: Principal, held: Iterable[Acl], names: Names) -> bool:
    """Tell whether a principal may ask for everybody's rights."""
    user = names.user(principal)
    return Acl(user, Operation.DESCRIBE, Resource.CLUSTER, CLUSTER) in set(held)


def own_differences(
    principal: Principal, held: Iterable[Acl], names: Names
) -> list[RightDifference]:
    """Return what a principal lacks or has too much of what the broker tells it.

    ``held`` is what it may do, whichever rule gives it, on every topic of ours and the cluster.
    """
    declared = {acl for acl in _of(principal, names) if acl.resource in REPORTED}
    implied = {
        acl._replace(operation=Operation.DESCRIBE)
        for acl in declared
        if acl.operation in _DESCRIBING
    }
    return diff_acls(declared | implied, held, names)


def granted_differences(
    principal: Principal, given: Iterable[Acl], names: Names
) -> list[RightDifference]:
    """Return the rights that a principal was not given, and those of others on what it uses.

    Rights on what it does not use may belong to another version, and are not its concern.
    """
    used = resource_patterns(_of(principal, names))

    def matters(one: RightDifference) -> bool:
        if isinstance(one, MissingAcl):
            return one.acl.principal == names.user(principal)
        return covers_any(one.acl, used)

    return [one for one in diff_acls(declared_acls(names), given, names) if matters(one)]


def _of(principal: Principal, names: Names) -> Iterator[Acl]:
    return (acl for acl in declared_acls(names) if acl.principal == names.user(principal))
