"""Webhook events: the bodies that receivers get, translated from outcomes.

Pure, and the same bytes every time: a repeated delivery has the same id and body. Signed bytes and
signatures are never part of a body: a receiver that needs them reads them with its own credentials.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

import orjson

from schemas.intents.outcome import AnyOutcome, MessageSigned, TransactionSigned
from sixgate.api.models.base import timestamp
from sixgate.gateway.transaction_view import transaction_view
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
DATA_MEMBERS: Final = (
    "id",
    "agent_id",
    "chain",
    "chain_id",
    "intent_type",
    "status",
    "tx_hash",
    "message_hash",
    "from",
    "to",
    "value_wei",
    "reason",
    "detail",
)
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
        content = {"type": self.type, "timestamp": timestamp(self.at_ms), "data": self.data}
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
    """Translate an outcome; the id of the event derives from that of the outcome.

    The data has members of the transaction that ``GET …/transactions/{id}`` answers.
    """
    at_ms = min(outcome.decided_at_ms, _YEAR_9999_MS)
    view = transaction_view(
        None,
        outcome,
        chain_name(outcome.chain_id) or str(outcome.chain_id),
        intent_id=outcome.intent,
        created_at_ms=at_ms,
        include_signed_tx=False,
    )
    members = view.model_dump(mode="json", by_alias=True)
    data = {name: members[name] for name in DATA_MEMBERS}
    message_id = f"evt_{outcome.id.removeprefix('0x')}"
    return WebhookEvent(message_id, _name(outcome), at_ms, data)


def _name(outcome: AnyOutcome) -> str:
    if isinstance(outcome, TransactionSigned):
        return TRANSACTION_SIGNED
    if isinstance(outcome, MessageSigned):
        return MESSAGE_SIGNED
    return TRANSACTION_REFUSED if outcome.kind is None else MESSAGE_REFUSED
