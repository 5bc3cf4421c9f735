"""An intent's whole way, from the events of its trail; pure."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.canonical import Malformed
from schemas.clearance import Gate
from schemas.dsse import INTENT_TYPE
from schemas.intent import Intent
from sixgate.api import Json

ENDS = ("transaction.signed", "intent.rejected")


@dataclass(frozen=True, slots=True)
class Step:
    """One gate's verdict: ``passed`` is None where the intent never came there."""

    gate: Gate
    passed: bool | None
    at_ms: int | None = None
    reason: str = ""
    detail: str = ""
    evidence: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Way:
    """What was asked, each gate's step, the outcome if there is one, and when it all began."""

    intent: Intent | None
    steps: tuple[Step, ...]
    outcome: Json | None
    first_ms: int
    last_ms: int

    @property
    def took_ms(self) -> int:
        """Return how long the way took, from the first record to the outcome's."""
        return self.last_ms - self.first_ms


def way_of(events: Sequence[Json]) -> Way:
    """Fold a trail's events, in their order, into the intent's way.

    The gates' verdicts are advice; the signing step is the signer's own finding over all rules.
    """
    verdicts: dict[str, Json] = {}
    outcome: Json | None = None
    last_ms = events[-1]["at_ms"]
    for record in events:
        event = record["event"]
        verdicts |= {verdict["gate"]: verdict for verdict in event.get("verdicts", ())}
        if event.get("type") in ENDS and outcome is None:
            outcome, last_ms = event, record["at_ms"]
    steps = [_step(gate, verdicts.get(gate)) for gate in Gate if gate is not Gate.SIGNING]
    steps.append(_signing(outcome))
    return Way(_intent(events), tuple(steps), outcome, events[0]["at_ms"], last_ms)


def _step(gate: Gate, verdict: Json | None) -> Step:
    if verdict is None:
        return Step(gate, None)
    return Step(
        gate,
        verdict["passed"],
        verdict["at_ms"],
        verdict.get("reason", ""),
        verdict.get("detail", ""),
        verdict.get("evidence", {}),
    )


def _signing(outcome: Json | None) -> Step:
    if outcome is None:
        return Step(Gate.SIGNING, None)
    signed = outcome["type"] == "transaction.signed"
    agrees = "" if signed or outcome["gate"] == Gate.SIGNING else f"{outcome['gate']}: "
    return Step(
        Gate.SIGNING,
        signed,
        outcome["decided_at_ms"],
        outcome.get("reason", ""),
        agrees + outcome.get("detail", ""),
        outcome.get("evidence", {}),
    )


def _intent(events: Sequence[Json]) -> Intent | None:
    """Return the intent that the trail is about, from the first envelope that holds it."""
    for record in events:
        envelope = record["event"].get("envelope", record["event"])
        if envelope.get("payloadType") == INTENT_TYPE:
            try:
                return Intent.decode(base64.b64decode(envelope["payload"]))
            except Malformed:
                return None
    return None
