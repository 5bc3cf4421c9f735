"""Replies of the audit and attestation routes."""

from typing import Any

from sixgate.api.models.base import Reply


class AuditEventReply(Reply):
    """One recorded action: its actor, resource, time and the caller's address.

    ``integrity_hash`` is the hash of the event's row in the ledger (``docs/format.md``),
    ``details`` the recorded event. ``event_id``, ``actor``, ``resource``, ``client_ip`` and
    ``created_at`` repeat other members under the names that other clients read.
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
    created_at: str
    ip_address: str | None
    client_ip: str | None
    details: dict[str, Any]


class AuditList(Reply):
    """Audit events, newest first; ``count`` counts them, ``total`` all that match the filters."""

    events: list[AuditEventReply]
    count: int
    total: int
    next_cursor: str | None


class AuditVerification(Reply):
    """The result of verifying a period of the ledger; ``broken_at`` is the first bad row.

    ``chain_valid`` repeats ``valid``; ``events_verified`` repeats ``checked``, the number of good
    rows. ``events_checked`` counts the bad row too.
    """

    valid: bool
    chain_valid: bool
    checked: int
    events_verified: int
    events_checked: int
    first_event_id: str | None
    last_event_id: str | None
    broken_at: int | None
    reason: str | None
