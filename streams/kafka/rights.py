"""Start check of rights: a process has exactly its rights, and no other principal has them."""

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
# Resource types whose effective rights a broker reports to a client (KIP-430).
REPORTED = {Resource.TOPIC, Resource.CLUSTER}
# Each of these operations implies DESCRIBE.
_DESCRIBING = {Operation.READ, Operation.WRITE, Operation.DELETE, Operation.ALTER}


def may_read_rights(principal: Principal, held: Iterable[Acl], names: Names) -> bool:
    """Return whether a principal can read the rights of all principals."""
    user = names.user(principal)
    return Acl(user, Operation.DESCRIBE, Resource.CLUSTER, CLUSTER) in set(held)


def own_differences(
    principal: Principal, held: Iterable[Acl], names: Names
) -> list[RightDifference]:
    """Return the missing and surplus rights of a principal, as the broker reports them to it.

    ``held`` are its effective rights on all our topics and the cluster.
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
    """Return the rights that a principal lacks, and undeclared rights on the resources it uses.

    Other resources may belong to another version and do not concern it.
    """
    used = resource_patterns(_of(principal, names))

    def concerns(one: RightDifference) -> bool:
        if isinstance(one, MissingAcl):
            return one.acl.principal == names.user(principal)
        return covers_any(one.acl, used)

    return [one for one in diff_acls(declared_acls(names), given, names) if concerns(one)]


def _of(principal: Principal, names: Names) -> Iterator[Acl]:
    return (acl for acl in declared_acls(names) if acl.principal == names.user(principal))
