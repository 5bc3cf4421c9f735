"""Replies of the audit and attestation routes."""

from typing import Any

from sixgate.api.models.base import Reply


class AuditEventReply(Reply):
    """Who did what to what, from where, when.

    ``integrity_hash`` is the hash of the event's row in the ledger (``docs/format.md``),
    ``details`` the recorded event. Later names of members stand beside the documented ones.
    """

    id: str
    event_id: str
    prev_event_id: str | None
    integrity_hash: str
    previous_hash: str
    sequence: int
    actor_id: str
    actor: str
    actor_type: str
    action: str
    resource_type: str
    resource_id: str
    resource: str
    timestamp: str
    ip_address: str | None
    client_ip: str | None
    details: dict[str, Any]


class AuditList(Reply):
    """Audit events, newest first; ``total`` counts all that match the filters."""

    events: list[AuditEventReply]
    total: int
    next_cursor: str | None


class AuditVerification(Reply):
    """Whether the ledger's hashes of a period are intact; ``broken_at`` is the first bad row."""

    valid: bool
    checked: int
    first_event_id: str | None
    last_event_id: str | None
    broken_at: int | None
    reason: str | None
