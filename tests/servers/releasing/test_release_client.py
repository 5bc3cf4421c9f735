"""Client of a release: silent, slow, cut and malformed servers."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from signer.attestation.release.client.kms import ReleaseUnreachableError
from sixgate.config.releases import ReleaseAddress
from sixgate.releasing.link import ANSWER_BYTES_MAX, ReleaseLink
from tests.harness.broker.listener import Listener
from tools.local.ports import HOST, free_port

CALL_MS_MAX = 500
LONG_S = 600  # the upper bound of each test
OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


@contextmanager
def link_to(port: int) -> Iterator[ReleaseLink]:
    address = ReleaseAddress(url=f"http://{HOST}:{port}", token=Path(), call_ms_max=CALL_MS_MAX)
    with closing(ReleaseLink(address)) as link:
        yield link


def silent(client: socket.socket) -> None:
    """Send nothing until the client gives up."""
    while client.recv(1 << 16):
        pass


def dripping(client: socket.socket) -> None:
    """Send single bytes with pauses, so that no single wait is long."""
    client.sendall(OK % (20 * LONG_S))
    while True:
        client.sendall(b" ")
        time.sleep(0.05)


def saying(answer: bytes) -> Callable[[socket.socket], None]:
    def serve(client: socket.socket) -> None:
        client.recv(1 << 16)
        client.sendall(answer)
        client.shutdown(socket.SHUT_WR)
        client.recv(1 << 16)

    return serve


ANSWERS = {
    "silence": silent,
    "a byte now and then": dripping,
    "no HTTP": saying(b"SSH-2.0-OpenSSH_9.9\r\n"),
    "a problem": saying(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"),
    "another place": saying(
        b"HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    ),
    "half an answer": saying(OK % 100 + b"{"),
    "more than any answer": saying(OK % (ANSWER_BYTES_MAX + 1) + b" " * (ANSWER_BYTES_MAX + 1)),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_invalid_response_fails_in_time(name: str) -> None:
    def serve(client: socket.socket) -> None:
        with client, suppress(OSError):
            ANSWERS[name](client)

    with closing(Listener(serve)) as listener, link_to(listener.port) as link:
        for call in (link.nonce, lambda: link.send(b"{}")):
            with pytest.raises(ReleaseUnreachableError):
                call()


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"nonce":1}', b'{"nonce":"0x0"}', b'{"once":""}', b"[" * 100_000, b"\xff"],
    ids=range(7),
)
def test_a_malformed_nonce_is_no_answer(body: bytes) -> None:
    def serve(client: socket.socket) -> None:
        with client, suppress(OSError):
            saying(OK % len(body) + body)(client)

    with (
        closing(Listener(serve)) as listener,
        link_to(listener.port) as link,
        pytest.raises(ReleaseUnreachableError),
    ):
        link.nonce()


def test_an_absent_server_and_a_closed_link_are_no_answer() -> None:
    with link_to(free_port()) as link:
        with pytest.raises(ReleaseUnreachableError):
            link.nonce()
        link.close()
        with pytest.raises(ReleaseUnreachableError):
            link.nonce()
