"""Errors of the API, and the repetition of a call that another admin overtook."""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias, TypeVar

T = TypeVar("T")
Json: TypeAlias = dict[str, Any]
ATTEMPTS_MAX = 5


class ApiError(Exception):
    """The API cannot serve a request. ``code`` is stable; the message is one sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def retry_overtaken(call: Callable[[], T], code: Literal["registry_refused", "vault_refused"]) -> T:
    """Return the result of a call; repeat it, at most 4 times, while another admin overtakes it.

    A record names the record before it, and an order the version before it. If another admin
    appends one between our read and our append, ours is refused with ``code`` and nothing changed.
    """
    for _ in range(ATTEMPTS_MAX - 1):
        try:
            return call()
        except ApiError as error:
            overtaken = "does not continue" in str(error) or "does not follow" in str(error)
            if error.code != code or not overtaken:
                raise
    return call()


class RemoteApiError(ApiError):
    """A refusal read from an ``audit`` record. Those are unsigned, so it may be forged."""
