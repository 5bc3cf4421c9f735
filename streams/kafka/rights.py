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
    declared_acls,
    diff_acls,
    reaches,
    user,
)

RightDifference: TypeAlias = MissingAcl | SurplusAcl
# A broker tells its rights of these two when it is asked what the asker may do.
TOLD = {Resource.TOPIC, Resource.CLUSTER}
# Kafka lets who may do any of these describe as well.
_DESCRIBING = {Operation.READ, Operation.WRITE, Operation.DELETE, Operation.ALTER}


def may_read_rights(principal: Principal, held: Iterable[Acl]) -> bool:
    """Tell whether a principal may ask for everybody's rights."""
    return Acl(user(principal), Operation.DESCRIBE, Resource.CLUSTER, CLUSTER) in set(held)


def own_differences(principal: Principal, held: Iterable[Acl]) -> list[RightDifference]:
    """Return what a principal lacks or has too much of what the broker tells it.

    ``held`` is what it may do, whichever rule gives it, on every topic of ours and the cluster.
    """
    declared = {acl for acl in _of(principal) if acl.resource in TOLD}
    implied = {
        acl._replace(operation=Operation.DESCRIBE)
        for acl in declared
        if acl.operation in _DESCRIBING
    }
    return diff_acls(declared | implied, held)


def given_differences(principal: Principal, given: Iterable[Acl]) -> list[RightDifference]:
    """Return the rights that a principal was not given, and those of others on what it uses.

    Rights on what it does not use may belong to another version, and are not its concern.
    """
    used = {
        (acl.resource, acl.name) for acl in _of(principal) if acl.resource is not Resource.CLUSTER
    }

    def matters(one: RightDifference) -> bool:
        if isinstance(one, MissingAcl):
            return one.acl.principal == user(principal)
        return any(one.acl.resource is kind and reaches(one.acl, name) for kind, name in used)

    return [one for one in diff_acls(declared_acls(), given) if matters(one)]


def _of(principal: Principal) -> Iterator[Acl]:
    return (acl for acl in declared_acls() if acl.principal == user(principal))
