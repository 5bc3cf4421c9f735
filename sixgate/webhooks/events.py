"""Webhook events: the bodies that receivers get, translated from outcomes.

Pure, and the same bytes every time: a repeated delivery has the same id and body. Signed bytes and
signatures are never part of a body: a receiver that needs them reads them with its own credentials.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol, TypeAlias

import orjson

from schemas.outcome import AnyOutcome, IntentRejected, MessageSigned, TransactionSigned
from schemas.reasons import Reason
from sixgate.webhooks.errors import WebhookInvalidError

EVERY_EVENT: Final = "*"
TRANSACTION_SIGNED: Final = "agent.transaction.signed"
TRANSACTION_REFUSED: Final = "agent.transaction.refused"
TRANSACTION_BROADCAST: Final = "agent.transaction.broadcast"
"""Accepted in subscriptions, and never sent until broadcasting exists."""
MESSAGE_SIGNED: Final = "agent.message.signed"
MESSAGE_REFUSED: Final = "agent.message.refused"
EVENT_NAMES: Final = (
    TRANSACTION_SIGNED,
    TRANSACTION_REFUSED,
    TRANSACTION_BROADCAST,
    MESSAGE_SIGNED,
    MESSAGE_REFUSED,
    EVERY_EVENT,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The last time with a four-digit year. Outcomes may hold later ones, which must not end deliveries.
_YEAR_9999_MS = 253_402_300_799_999

ChainName: TypeAlias = Callable[[int], str | None]
"""Returns the name of a chain id, or None for an unregistered chain."""


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """One event: a stable id, a name of ``EVENT_NAMES``, the time it happened, and the data."""

    id: str
    type: str
    at_ms: int
    data: dict[str, Any]

    def body(self) -> bytes:
        """Return the request body; equal events have equal bytes."""
        content = {"type": self.type, "timestamp": rfc3339(self.at_ms), "data": self.data}
        return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


class EventSource(Protocol):
    """Events in a fixed order. Offsets grow, and an offset always names the same event."""

    def after(self, offset: int, limit: int) -> Sequence[tuple[int, WebhookEvent]]:
        """Return up to ``limit`` events with offsets above ``offset``, in order."""
        ...

    def end(self) -> int:
        """Return the offset of the newest event, or 0 without events."""
        ...


def require_event_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names without repetitions; raise ``WebhookInvalidError`` for unknown ones."""
    known = ", ".join(EVENT_NAMES)
    if not names:
        raise WebhookInvalidError("events", f"events must name at least one of {known}")
    if not set(names) <= set(EVENT_NAMES):
        raise WebhookInvalidError("events", f"events must be names of this list: {known}")
    return tuple(dict.fromkeys(names))


def webhook_event(outcome: AnyOutcome, chain_name: ChainName) -> WebhookEvent:
    """Translate an outcome; the id of the event is that of the outcome."""
    data: dict[str, Any] = {
        "id": outcome.intent,
        "agent_id": outcome.agent,
        "chain": chain_name(outcome.chain_id),
        "chain_id": outcome.chain_id,
        "idempotency_key": outcome.idempotency_key,
        "kind": "transaction",
        "status": "signed",
        "tx_hash": None,
        "from": None,
        "to": None,
        "value_wei": None,
        "reason": None,
        "detail": None,
    }
    data |= _own_fields(outcome)
    message_id = f"evt_{outcome.id.removeprefix('0x')}"
    return WebhookEvent(message_id, _name(outcome), outcome.decided_at_ms, data)


def rfc3339(at_ms: int) -> str:
    """Return a time in UTC with milliseconds, such as ``2026-01-31T10:00:00.000Z``."""
    at = _EPOCH + timedelta(milliseconds=min(at_ms, _YEAR_9999_MS))
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _name(outcome: AnyOutcome) -> str:
    if isinstance(outcome, TransactionSigned):
        return TRANSACTION_SIGNED
    if isinstance(outcome, MessageSigned):
        return MESSAGE_SIGNED
    return TRANSACTION_REFUSED if outcome.kind is None else MESSAGE_REFUSED


def _own_fields(outcome: AnyOutcome) -> dict[str, Any]:
    """Return the fields that only one type of outcome has."""
    if isinstance(outcome, TransactionSigned):
        return {
            "tx_hash": outcome.transaction_hash,
            "from": outcome.sender,
            "to": outcome.to,
            "value_wei": str(outcome.value_wei),
        }
    if isinstance(outcome, MessageSigned):
        return {"kind": outcome.kind, "from": outcome.sender}
    return _refusal_fields(outcome)


def _refusal_fields(outcome: IntentRejected) -> dict[str, Any]:
    reverted = outcome.reason == Reason.SIMULATION_REVERTED
    return {
        "kind": outcome.kind or "transaction",
        "status": "simulation_failed" if reverted else "refused",
        "to": outcome.to,
        "value_wei": None if outcome.value_wei is None else str(outcome.value_wei),
        "reason": outcome.reason.value,
        "detail": outcome.detail,
    }
