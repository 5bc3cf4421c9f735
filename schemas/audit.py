"""Accesses, administration and refused records: what is no intent, and still never silent."""

from typing import Literal

import orjson

from schemas.canonical import Canonical, digest, event_id
from schemas.fields import TEXT_MAX, Digest, Name, Text, TimeMs
from schemas.record import Outgoing
from schemas.topics import Topic

AuditAction = Literal[
    "record.refused",
    "intent.duplicate",
    "key.refused",
    "registry.refused",
    "recovery.asked",
    "recovery.approved",
    "recovery.done",
    "recovery.refused",
    "rewrap.failed",
    "read.refused",
    "share.key.failed",
    "kms.call",
    "provider.failed",
]


class AuditRecord(Canonical):
    """Who did what, to what, when; ``id`` derives from the action and its subject."""

    v: Literal[1] = 1
    type: Literal["audit"] = "audit"
    id: Digest
    action: AuditAction
    actor: Name
    at_ms: TimeMs
    subject: Digest
    detail: Text
    account: Name | None = None


def input_digest(value: bytes) -> str:
    """Name bytes that are no intent."""
    return digest("sixgate/input/v1", value)


def audited(
    action: AuditAction, source: str, subject: str, detail: str, *, actor: str, at_ms: int
) -> Outgoing:
    """Return what ``actor`` says of the record at ``source`` (topic/partition/offset).

    ``subject`` is the digest of what the record holds; a long ``detail`` is cut.
    """
    record = AuditRecord(
        id=event_id(action, source),
        action=action,
        actor=actor,
        at_ms=at_ms,
        subject=subject,
        detail=detail[:TEXT_MAX],
    )
    return Outgoing(Topic.AUDIT, "", record.encode())


def action_of(raw: bytes) -> str:
    """Return what a record of ``audit`` that we made ourselves tells of."""
    record: dict[str, str] = orjson.loads(raw)
    return record.get("action", record["type"])
