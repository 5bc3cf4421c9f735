"""The records of orders about secrets: who used which version for what, and was it allowed; pure.

Nobody on the bus has an address.
"""

from typing import TypeAlias

from schemas.access import Operation
from schemas.record import Outgoing
from schemas.recovery import RecoveryOrder
from schemas.vault_events import SecretOrder
from signer.access import Access, Allowed, Refused
from signer.access_records import Use, recorded
from signer.vaults.orders import VaultOrdered
from signer.vaults.vault import Vault

Place: TypeAlias = tuple[Vault, str, int]
"""A vault, a path in it, and a version there."""


def accesses_of(
    org: str, ordered: VaultOrdered, access: Access, now_ms: int, *, handed: bool = False
) -> list[Outgoing]:
    """Return the records of an order about a secret; any other is in its answer, for ever.

    ``handed`` is whether a client's share was handed over with the answer.
    """
    order = ordered.order
    if not isinstance(order, SecretOrder | RecoveryOrder):
        return []
    done: tuple[Operation, ...] = (ordered.operation,) if isinstance(order, SecretOrder) else ()
    operations: tuple[Operation, ...] = (*done, *(("hand-over",) if handed else ()))
    place = (ordered.vault, order.path, order.version)
    # An order that was refused may come again and be allowed: that is another record.
    name = ordered.refused_id if isinstance(access, Refused) else ordered.id
    return [
        recorded(_use(org, f"{name}/{each}", each, place, ordered.actor, now_ms), access)
        for each in operations
    ]


def handed_over(org: str, order: str, place: Place, actor: str, now_ms: int) -> Outgoing:
    """Return the record of a client's share of a signing key, as an admin's order asked for it."""
    use = _use(org, f"{order}/hand-over", "hand-over", place, actor, now_ms)
    return recorded(use, Allowed())


def _use(
    org: str, request: str, operation: Operation, place: Place, actor: str, now_ms: int
) -> Use:
    vault, path, version = place
    return Use(
        request=request,
        org=org,
        vault=vault,
        path=path,
        version=version,
        operation=operation,
        actor=actor,
        client_address="",
        at_ms=now_ms,
    )
