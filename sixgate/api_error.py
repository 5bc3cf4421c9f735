"""What the front door answers instead of a result."""


class ApiError(Exception):
    """A request that cannot be served; ``code`` is stable, the message is one sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class RemoteApiError(ApiError):
    """A refusal as a record of ``audit`` reports it, which nobody signed: it may be untrue."""
