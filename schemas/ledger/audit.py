"""Audit records: accesses, administration and refused records, which have no outcome."""

from typing import Literal

import orjson

from schemas.canonical import Canonical, digest, event_id
from schemas.fields import TEXT_MAX, Digest, Name, Text, TimeMs
from schemas.record import Outgoing
from schemas.topics import Topic

AuditAction = Literal[
    "record.refused",
    "intent.duplicate",
    "intent.over_limit",
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
    """Who did what, to what, when; ``id`` derives from the action and its source.

    ``intent.duplicate`` names in ``detail`` the intent whose outcome the subject shares: itself, or
    the first intent that made the same request. ``intent.over_limit`` counts intents of an agent
    and minute that were refused before the pipeline; its subject is a digest over all of them.
    """

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
    """Return the digest of input that is not an intent."""
    return digest("sixgate/input/v1", value)


def audited(
    action: AuditAction, source: str, subject: str, detail: str, *, actor: str, at_ms: int
) -> Outgoing:
    """Return ``actor``'s audit record about the record at ``source`` (topic/partition/offset).

    ``subject`` is the digest of that record's content; a long ``detail`` is truncated.
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
    """Return the action of a record for ``audit`` that this process made."""
    record: dict[str, str] = orjson.loads(raw)
    return record.get("action", record["type"])
