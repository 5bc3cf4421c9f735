"""HTTP client on a Unix socket: one connection per call, no timeout, answers as they arrive."""

import os
import socket
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import httptools

from sixgate.remote_calls.link import Answer, NoResponseError

RECEIVED_BYTES = 256 * 1024


class UnixLink:
    """Calls the server of a Unix socket. ``dial`` opens a connection and raises ``OSError``."""

    def __init__(self, dial: Callable[[], socket.socket]) -> None:
        self._dial = dial

    def ask(self, method: str, target: str, body: bytes) -> Answer:
        """Send a request and return the answer; raise ``NoResponseError``."""
        answers = list(self.stream(method, target, body))
        return Answer(answers[-1].status, b"".join(answer.body for answer in answers))

    def stream(self, method: str, target: str, body: bytes) -> Generator[Answer, None, None]:
        """Yield the parts of an answer as they arrive; raise ``NoResponseError``."""
        head = f"{method} {target} HTTP/1.1\r\nhost: sixgate\r\nconnection: close\r\n"
        request = f"{head}content-length: {len(body)}\r\n\r\n".encode("ascii") + body
        found = _Received()
        parser = httptools.HttpResponseParser(found)
        try:
            with closing(self._dial()) as link:
                # A server that refuses a request answers without reading all of it.
                with suppress(BrokenPipeError, ConnectionResetError):
                    link.sendall(request)
                while not found.complete:
                    received = link.recv(RECEIVED_BYTES)
                    if not received:
                        raise NoResponseError
                    parser.feed_data(received)
                    if found.parts or found.complete:
                        part, found.parts = b"".join(found.parts), []
                        yield Answer(parser.get_status_code(), part)
        except (OSError, httptools.HttpParserError):
            raise NoResponseError from None


class _Received:
    """Takes what the parser finds. A body without a length never becomes complete."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.complete = False

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self.parts.append(body)

    def on_message_complete(self) -> None:
        """End the answer."""
        self.complete = True


def dial(path: Path) -> socket.socket:
    """Connect to a Unix socket; raise ``OSError`` if no process listens."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with short_path(path) as address:
            link.connect(address)
    except OSError:
        link.close()
        raise
    return link


@contextmanager
def short_path(path: Path) -> Iterator[str]:
    """Lend a short path of a socket: a socket address is limited to 107 bytes."""
    handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}/{path.name}"
    finally:
        os.close(handle)
