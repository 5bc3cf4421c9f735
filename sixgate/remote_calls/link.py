"""Links: how the calls of a client reach a server."""

from collections.abc import Generator
from typing import NamedTuple, Protocol


class NoResponseError(Exception):
    """The call failed, or its result is unknown."""


class Answer(NamedTuple):
    """Status and body of a response."""

    status: int
    body: bytes


class Link(Protocol):
    """Sends requests to one server; never retries, follows no redirect. Thread-safe."""

    def ask(self, method: str, target: str, body: bytes) -> Answer:
        """Send a request and return the whole response; raise ``NoResponseError``."""
        ...


class StreamingLink(Link, Protocol):
    """A link whose responses can be read while they arrive."""

    def stream(self, method: str, target: str, body: bytes) -> Generator[Answer, None, None]:
        """Yield the parts of a response as they arrive; raise ``NoResponseError``."""
        ...
