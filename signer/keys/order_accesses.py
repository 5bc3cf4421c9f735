"""Access records of orders about secrets: actor, version, operation, allowed or refused; pure.

They have no client address: an order arrives on the bus, not from a connection.
"""

from typing import TypeAlias

from schemas.keys.recovery import RecoveryOrder
from schemas.keys.secret_access import Operation
from schemas.keys.vault_events import SecretOrder
from schemas.record import Outgoing
from signer.core.registry.vault import Vault
from signer.keys.access import Access, Allowed, Refused
from signer.keys.access_records import Use, access_record
from signer.keys.vaults.orders import VerifiedVaultOrder

Target: TypeAlias = tuple[Vault, str, int]
"""A vault, a path in it, and a version."""


def order_accesses(
    org: str, ordered: VerifiedVaultOrder, access: Access, now_ms: int, *, handed: bool = False
) -> list[Outgoing]:
    """Return the access records of an order about a secret, else an empty list.

    Other orders are recorded by their answers. ``handed`` is whether the answer hands a
    share to a client.
    """
    order = ordered.order
    if not isinstance(order, SecretOrder | RecoveryOrder):
        return []
    done: tuple[Operation, ...] = (ordered.operation,) if isinstance(order, SecretOrder) else ()
    operations: tuple[Operation, ...] = (*done, *(("hand-over",) if handed else ()))
    target = (ordered.vault, order.path, order.version)
    # A refused order may be sent again and allowed: that is a second record with its own id.
    name = ordered.refused_id if isinstance(access, Refused) else ordered.id
    return [
        access_record(_use(org, f"{name}/{each}", each, target, ordered.actor, now_ms), access)
        for each in operations
    ]


def handed_over(org: str, order: str, target: Target, actor: str, now_ms: int) -> Outgoing:
    """Return the access record of a client share of a signing key that an order handed over."""
    use = _use(org, f"{order}/hand-over", "hand-over", target, actor, now_ms)
    return access_record(use, Allowed())


def _use(
    org: str, request: str, operation: Operation, target: Target, actor: str, now_ms: int
) -> Use:
    vault, path, version = target
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
