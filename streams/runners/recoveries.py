"""The trail of a recovery: that it was asked for, who approved of it, and how it ended.

Whatever becomes of it, an order to replace a client's share leaves its records, one of each action
for the record of the order that they are about.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from schemas.audit import AuditAction
from schemas.canonical import MalformedError
from schemas.dsse import Envelope
from schemas.record import Outgoing
from schemas.recovery import RecoveryOrder
from schemas.vault_events import SecretDelivery, decode_vault_order
from signer.vaults.vault import VersionPlace

Note: TypeAlias = Callable[[AuditAction, str], Outgoing]
"""Makes the audit record of an action, with its detail, about the order's record."""


@dataclass(slots=True)
class Trail:
    """What is told of one order to recover, in order."""

    order: RecoveryOrder
    note: Note
    told: list[Outgoing] = field(default_factory=list)

    def asked(self, keyid: str) -> None:
        """Tell that somebody asks, under a name that proves nothing yet."""
        self._tell("recovery.asked", f"for {self._place}, in the name of {keyid}: {self.order.why}")

    def approved(self, admin: str) -> None:
        """Tell which admin signed it, for this and for now."""
        self._tell("recovery.approved", f"{admin}'s order for {self._place}")

    def done(self) -> None:
        """Tell that the client has another share, and the former one is worth nothing."""
        self._tell("recovery.done", f"the client's share of {self._place} is a new one")

    def refused(self, why: str) -> None:
        """Tell that every share is what it was."""
        self._tell("recovery.refused", why)

    @property
    def _place(self) -> VersionPlace:
        order = self.order
        return VersionPlace(order.account, order.vault, order.path, order.version)

    def _tell(self, action: AuditAction, detail: str) -> None:
        self.told.append(self.note(action, detail))


def recovery_in(parcel: Envelope | SecretDelivery) -> RecoveryOrder | None:
    """Return the order to recover that a parcel has, whoever signed it; None if it is another."""
    if not isinstance(parcel, Envelope):
        return None
    try:
        order = decode_vault_order(parcel.body())
    except MalformedError:
        return None
    return order if isinstance(order, RecoveryOrder) else None
