"""Requests without a principal: few of one address may wait for their bodies, and not for long.

A request is anonymous until its token is verified. A login is anonymous to its end. Requests with
a token are verified before their body is read, so they take no place here.
"""

import asyncio
from collections import Counter
from http import HTTPStatus

from sixgate.api.refusal import Refusal
from sixgate.config.limits import Limits

_BUSY_RETRY_S = 1


class AnonymousRequests:
    """Counts the anonymous requests in progress of each client address."""

    def __init__(self, limits: Limits) -> None:
        self.count_max = limits.ip_anonymous_max
        self.body_s_max = limits.anonymous_body_s_max
        self.pending_of: Counter[str] = Counter()


class Anonymity:
    """Counts one request of the client address ``key`` as anonymous, until ``end``."""

    __slots__ = ("_deadline_s", "_key", "_requests", "has_ended")

    def __init__(self, requests: AnonymousRequests, key: str) -> None:
        self._requests, self._key = requests, key
        self._deadline_s: float | None = None  # set while the request has a place
        self.has_ended = False

    def enter(self) -> Refusal | None:
        """Take a place before the body is read, once; return the refusal if there is none."""
        if self._deadline_s is not None:
            return None
        count_max = self._requests.count_max
        if self._requests.pending_of[self._key] >= count_max:
            what = f"requests without a verified token of address {self._key}"
            detail = f"The server handles its maximum of {count_max} {what}: retry."
            busy = HTTPStatus.SERVICE_UNAVAILABLE
            return Refusal(busy, "busy", detail, _BUSY_RETRY_S, closes=True)
        self._requests.pending_of[self._key] += 1
        self._deadline_s = asyncio.get_running_loop().time() + self._requests.body_s_max
        return None

    def deadline(self) -> asyncio.Timeout:
        """Return the context that ends a wait for the body with ``TimeoutError``."""
        return asyncio.timeout_at(self._deadline_s)

    def end(self) -> None:
        """Give the place back: the request has a principal, or is over."""
        if self._deadline_s is not None and not self.has_ended:
            self._requests.pending_of[self._key] -= 1
            if not self._requests.pending_of[self._key]:
                del self._requests.pending_of[self._key]
        self.has_ended = True
