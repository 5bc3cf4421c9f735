"""Trails: an intent with each gate's verdict and its outcome, from its events; pure."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.canonical import MalformedError
from schemas.clearance import Gate
from schemas.dsse import INTENT_TYPE
from schemas.intent import AnyIntent, decode_intent
from schemas.outcome import SIGNED_TYPES
from sixgate.api import Json

ENDS = (*SIGNED_TYPES, "intent.rejected")


@dataclass(frozen=True, slots=True)
class Step:
    """One gate's verdict; ``passed`` is None if the intent did not reach the gate."""

    gate: Gate
    passed: bool | None
    at_ms: int | None = None
    reason: str = ""
    detail: str = ""
    evidence: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trail:
    """The intent, each gate's step, and the outcome if it is decided.

    ``repeats`` is the intent whose outcome it shares, if it repeats that one's request.
    """

    intent: AnyIntent | None
    steps: tuple[Step, ...]
    outcome: Json | None
    repeats: str | None = None


def trail_of(events: Sequence[Json]) -> Trail:
    """Build an intent's trail from its events, in their order.

    The gates' verdicts are advice; the signing step is the signer's own decision over all rules.
    """
    verdicts: dict[str, Json] = {}
    outcome: Json | None = None
    repeats: str | None = None
    for record in events:
        event = record["event"]
        verdicts |= {verdict["gate"]: verdict for verdict in event.get("verdicts", ())}
        if event.get("type") in ENDS and outcome is None:
            outcome = event
        if event.get("action") == "intent.duplicate" and event["detail"] != event["subject"]:
            repeats = event["detail"]
    steps = [_step(gate, verdicts.get(gate)) for gate in Gate if gate is not Gate.SIGNING]
    steps.append(_signing(outcome))
    return Trail(_intent(events), tuple(steps), outcome, repeats)


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
    signed = outcome["type"] in SIGNED_TYPES
    agrees = "" if signed or outcome["gate"] == Gate.SIGNING else f"{outcome['gate']}: "
    return Step(
        Gate.SIGNING,
        signed,
        outcome["decided_at_ms"],
        outcome.get("reason", ""),
        agrees + outcome.get("detail", ""),
        outcome.get("evidence", {}),
    )


def _intent(events: Sequence[Json]) -> AnyIntent | None:
    """Return the trail's intent, from the first envelope that contains it."""
    for record in events:
        envelope = record["event"].get("envelope", record["event"])
        if envelope.get("payloadType") == INTENT_TYPE:
            try:
                return decode_intent(base64.b64decode(envelope["payload"]))
            except MalformedError:
                return None
    return None
