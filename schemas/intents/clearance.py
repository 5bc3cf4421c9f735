"""Clearances: what gates pass on, the signed intent with the verdicts so far."""

from typing import Literal

from pydantic import Field

from schemas.canonical import Canonical, canonical_bytes
from schemas.dsse import Envelope
from schemas.fields import Count, Digest, Text, TimeMs
from schemas.intents.reasons import Evidence, Gate, Reason


class Verdict(Canonical):
    """The verdict of one gate; it is advice, the signer decides."""

    gate: Gate
    at_ms: TimeMs
    passed: bool
    reason: Reason | None = None
    detail: Text | None = None
    policy: Digest | None = None
    evidence: Evidence | None = None


class Clearance(Canonical):
    """An intent with its verdicts; ``id`` derives from the stage and the intent's digest."""

    v: Literal[1] = 1
    type: Literal["clearance"] = "clearance"
    id: Digest
    intent: Digest
    envelope: Envelope
    verdicts: tuple[Verdict, ...] = Field(max_length=8)
    simulation: Envelope | None = None

    def encode(self) -> bytes:
        """Return the canonical bytes; parts that do not change are encoded once and cached."""
        content = {
            "envelope": self.envelope.fragment,
            "id": self.id,
            "intent": self.intent,
            "type": self.type,
            "v": self.v,
            "verdicts": [verdict.fragment for verdict in self.verdicts],
        }
        if self.simulation:
            content["simulation"] = self.simulation.fragment
        return canonical_bytes(content)


class Unattributed(Canonical):
    """Input that is not an authenticated intent; ``id`` derives from its place."""

    v: Literal[1] = 1
    type: Literal["intent.unattributed"] = "intent.unattributed"
    id: Digest
    at_ms: TimeMs
    input_digest: Digest
    size_bytes: Count
    reason: Reason
    detail: Text
