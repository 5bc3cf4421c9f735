"""Requests and replies of the webhook routes."""

from pydantic import Field, SecretStr

from sixgate.api.models.base import LenientRequest, Reply
from sixgate.webhooks.destinations import URL_LENGTH_MAX
from sixgate.webhooks.events import EVENT_NAMES

EVENTS_MAX = 32
SECRET_LENGTH_MAX = 128
_URL = Field(
    max_length=URL_LENGTH_MAX,
    description="An https:// URL with a public address. Redirects are not followed.",
)
_EVENTS = Field(
    max_length=EVENTS_MAX,
    description=f"Any of `{'`, `'.join(EVENT_NAMES)}`. You can subscribe to "
    "`agent.transaction.broadcast`, but Sixgate sends none until it broadcasts transactions.",
)
_SECRET = Field(
    default=None,
    max_length=SECRET_LENGTH_MAX,
    description="`whsec_` and 24 to 64 random bytes in base64 (Standard Webhooks).",
)


class WebhookRequest(LenientRequest):
    """A new webhook. Without ``secret`` one is generated and shown once."""

    url: str = _URL
    events: list[str] = _EVENTS
    secret: SecretStr | None = _SECRET


class WebhookChange(LenientRequest):
    """Changes of a webhook; absent and null members stay unchanged.

    ``is_active`` true also enables a webhook that was disabled after three days of failures.
    """

    url: str | None = Field(default=None, max_length=URL_LENGTH_MAX)
    events: list[str] | None = Field(default=None, max_length=EVENTS_MAX)
    is_active: bool | None = None
    secret: SecretStr | None = _SECRET


class WebhookReplay(LenientRequest):
    """Deliver again all events after an offset; 0 is the beginning."""

    after: int


class DeliveryState(Reply):
    """The state of a webhook's deliveries.

    ``offset`` is that of the last delivered event. ``failures`` counts failed attempts in a row,
    the last for the reason ``last_error``.
    """

    offset: int
    failures: int
    failing_since: str | None
    next_attempt_at: str | None
    last_error: str | None


class Webhook(Reply):
    """A webhook without its secret. ``disabled_reason`` says why deliveries stopped."""

    id: str
    url: str
    events: list[str]
    is_active: bool
    created_at: str
    created_by: str
    disabled_reason: str | None
    delivery: DeliveryState


class NewWebhook(Webhook):
    """A new webhook; ``secret`` is shown once, and null if the request gave one."""

    secret: str | None


class WebhookList(Reply):
    """The organisation's webhooks, newest first."""

    webhooks: list[Webhook]
