"""Audit trail of a client-share recovery: requested, approved, and completed or refused.

Every order to replace a client's share leaves these records, one per action, whatever its result.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from schemas.canonical import MalformedError
from schemas.dsse import Envelope
from schemas.keys.recovery import RecoveryOrder
from schemas.keys.vault_events import SecretDelivery, decode_vault_order
from schemas.ledger.audit import AuditAction
from schemas.record import Outgoing
from signer.keys.vault_paths import VersionId

MakeRecord: TypeAlias = Callable[[AuditAction, str], Outgoing]
"""Makes the audit record of an action and its detail, about the record of the order."""


@dataclass(slots=True)
class RecoveryTrail:
    """The audit records of one recovery order, in order."""

    order: RecoveryOrder
    make_record: MakeRecord
    records: list[Outgoing] = field(default_factory=list)

    def requested(self, keyid: str) -> None:
        """Record the request. Nothing is verified yet, so ``keyid`` proves nothing."""
        detail = f"for {self._place}, in the name of {keyid}: {self.order.why}"
        self._add("recovery.asked", detail)

    def approved(self, admin: str) -> None:
        """Record which admin signed the order; it is valid now."""
        self._add("recovery.approved", f"{admin}'s order for {self._place}")

    def done(self) -> None:
        """Record that the client has a new share and the former one opens nothing."""
        self._add("recovery.done", f"the client has a new share of {self._place}")

    def refused(self, why: str) -> None:
        """Record the refusal; every share is unchanged."""
        self._add("recovery.refused", why)

    @property
    def _place(self) -> VersionId:
        order = self.order
        return VersionId(order.account, order.vault, order.path, order.version)

    def _add(self, action: AuditAction, detail: str) -> None:
        self.records.append(self.make_record(action, detail))


def recovery_order(record: Envelope | SecretDelivery) -> RecoveryOrder | None:
    """Return the recovery order in a record, unverified; None for other orders."""
    if not isinstance(record, Envelope):
        return None
    try:
        order = decode_vault_order(record.body())
    except MalformedError:
        return None
    return order if isinstance(order, RecoveryOrder) else None
