"""Errors of the API."""


class ApiError(Exception):
    """The API cannot serve a request. ``code`` is stable; the message is one sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class RemoteApiError(ApiError):
    """A refusal read from an ``audit`` record. Those are unsigned, so it may be forged."""
