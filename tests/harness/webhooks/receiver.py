"""A loopback receiver of webhooks, with or without TLS, that records requests."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, TypeAlias

from tests.harness.broker.listener import Listener
from tools.local.certificates import Authority

ACCEPTED = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
FAILED = b"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n"


class Received(NamedTuple):
    """One request; the names of headers are in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes


Answer: TypeAlias = Callable[[socket.socket, Received], None]


class Receiver:
    """Records requests and answers each with ``answer``, in one thread per connection."""

    def __init__(self, answer: Answer, tls: ssl.SSLContext | None = None) -> None:
        self.received: list[Received] = []
        self.server_names: list[str | None] = []
        self.connections = 0
        self.answered = threading.Semaphore(0)
        self._answer = answer
        self._tls = tls
        if tls is not None:
            tls.sni_callback = self._note_name
        self._listener = Listener(self._serve)
        self.port = self._listener.port

    def url(self, host: str = "127.0.0.1", path: str = "/hook") -> str:
        """Return a URL of this receiver."""
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://{host}:{self.port}{path}"

    def close(self) -> None:
        self._listener.close()

    def _note_name(self, _connection: object, name: str | None, _context: object) -> None:
        self.server_names.append(name)

    def _serve(self, client: socket.socket) -> None:
        self.connections += 1
        with client, suppress(OSError):
            if self._tls is not None:
                client = self._tls.wrap_socket(client, server_side=True)
            with client:
                if request := _read(client):
                    self.received.append(request)
                    try:
                        self._answer(client, request)
                    finally:
                        self.answered.release()


@contextmanager
def receiving(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Yield a receiver until the block ends."""
    with closing(Receiver(answer, tls)) as receiver:
        yield receiver


def always(response: bytes) -> Answer:
    """Answer every request with these bytes."""
    return in_turn([response])


def in_turn(responses: Sequence[bytes]) -> Answer:
    """Answer the first requests with these responses, and all others with the last one."""
    rest = list(responses)

    def answer(client: socket.socket, _request: Received) -> None:
        client.sendall(rest.pop(0) if len(rest) > 1 else rest[0])

    return answer


def tls_contexts(folder: Path, dns_names: Sequence[str]) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return contexts of a server with a certificate for these names, and of its clients."""
    authority = Authority(folder)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(authority.issue("receiver", dns_names))
    return server, ssl.create_default_context(cafile=str(authority.file))


def _read(client: socket.socket) -> Received | None:
    with client.makefile("rb") as lines:
        line = lines.readline().decode().rstrip("\r\n")
        headers = {}
        while (header := lines.readline().decode().rstrip("\r\n")) != "":
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        body = lines.read(int(headers.get("content-length", "0")))
    return Received(line, headers, body) if line else None
