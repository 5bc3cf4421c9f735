"""Errors of webhooks. Every message is one sentence and repeats no URL, secret or header."""


class WebhookError(Exception):
    """A webhook cannot be created, changed or found."""


class WebhookInvalidError(WebhookError):
    """A field of a webhook is invalid; ``field`` names it."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


class WebhookNotFoundError(WebhookError):
    """No webhook has this id."""


class WebhookLimitError(WebhookError):
    """The organisation has as many webhooks as it may have."""


class DestinationError(WebhookError):
    """A URL, or an address that its host resolves to, is not allowed."""


class DeliveryError(WebhookError):
    """A request got no complete answer: it may or may not have arrived."""
