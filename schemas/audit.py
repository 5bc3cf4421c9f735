"""Accesses, administration and refused records: what is no intent, and still never silent."""

from typing import Literal

from schemas.canonical import Canonical
from schemas.fields import Digest, Name, Text, TimeMs

AuditAction = Literal[
    "record.refused",
    "intent.duplicate",
    "key.refused",
    "registry.refused",
    "process.started",
    "process.stopped",
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
