"""Replies of the audit and attestation routes."""

from typing import Any

from sixgate.api.models.base import Reply


class AuditEventReply(Reply):
    """One recorded action: its actor, resource, time and the caller's address.

    ``integrity_hash`` is the hash of the event's row in the ledger (``docs/format.md``),
    ``details`` the recorded event. ``event_id``, ``actor``, ``resource`` and ``client_ip`` repeat
    other members under later names of the description.
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
    """The result of verifying a period of the ledger; ``broken_at`` is the first bad row."""

    valid: bool
    checked: int
    first_event_id: str | None
    last_event_id: str | None
    broken_at: int | None
    reason: str | None
