"""One HTTP POST to an address that was checked, within one deadline for everything.

The connection goes to the checked address; the certificate must match the name of the URL. No
redirect is followed, no proxy and no cookie is used. ``http.client`` limits the length of a
response's lines and the number of its headers; the deadline ends answers that trickle.
"""

import http.client
import io
import queue
import socket
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from signer.custody.thread_pool import run_in_thread
from sixgate.webhooks.address_rules import Address
from sixgate.webhooks.destinations import Destination
from sixgate.webhooks.errors import DeliveryError

TIMEOUT_S: Final = 15.0
RESOLVE_S_MAX: Final = 5.0
CONNECT_S_MAX: Final = 5.0
RESPONSE_BYTES_MAX: Final = 64 * 1024
USER_AGENT: Final = "Sixgate-Webhooks/1"


class Deadline:
    """The end of a request: each operation on its socket gets what is left."""

    def __init__(self, within_s: float) -> None:
        self._ends_at_s = time.monotonic() + within_s

    def left_s(self) -> float:
        """Return the seconds left; raise ``TimeoutError`` after the end."""
        left_s = self._ends_at_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        return left_s


class _BoundedStream(io.RawIOBase):
    """What ``http.client`` needs of a socket, with the deadline applied to every operation.

    Closing it leaves the socket open: its owner closes it, after the response was read.
    """

    def __init__(self, connected: socket.socket, deadline: Deadline) -> None:
        super().__init__()
        self._socket = connected
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._socket.settimeout(self._deadline.left_s())
        return self._socket.recv_into(buffer)

    def sendall(self, data: bytes) -> None:
        with memoryview(data) as rest:
            sent = 0
            while sent < len(rest):
                self._socket.settimeout(self._deadline.left_s())
                sent += self._socket.send(rest[sent:])

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_BoundedStream(self._socket, self._deadline))


def resolve_name(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a name from the system's resolver.

    Raises ``OSError``, also after ``RESOLVE_S_MAX``: the system's own limit is longer than that of
    a whole delivery. An abandoned call ends with the system's limit.
    """
    answers: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def call() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put([str(address[0]) for *_, address in found])
        except OSError as error:
            answers.put(error)
        except UnicodeError:  # not reached with hosts of parsed URLs
            answers.put(OSError("the name cannot be encoded"))

    run_in_thread(call)
    try:
        answer = answers.get(timeout=RESOLVE_S_MAX)
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, OSError):
        raise answer
    return answer


def post(
    destination: Destination,
    addresses: Sequence[Address],
    headers: Mapping[str, str],
    body: bytes,
    tls: ssl.SSLContext,
    deadline: Deadline,
) -> int:
    """Send a POST to the first address that accepts a connection; return the response's status.

    Raises ``DeliveryError`` if no complete response header arrives before the deadline.
    """
    with _delivery_errors(), _connect(destination, addresses, deadline) as plain:
        if destination.scheme == "http":
            return _exchange(_BoundedStream(plain, deadline), destination, headers, body)
        plain.settimeout(deadline.left_s())
        with tls.wrap_socket(plain, server_hostname=destination.host) as encrypted:
            return _exchange(_BoundedStream(encrypted, deadline), destination, headers, body)


@contextmanager
def _connect(
    destination: Destination, addresses: Sequence[Address], deadline: Deadline
) -> Iterator[socket.socket]:
    """Yield a socket to the first address that accepts; raise the last ``OSError``."""
    failure: OSError = ConnectionRefusedError()
    for address in addresses:
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004 - IPv4
        with socket.socket(family, socket.SOCK_STREAM) as connecting:
            connecting.settimeout(min(CONNECT_S_MAX, deadline.left_s()))
            try:
                # A numeric address: this call resolves nothing.
                connecting.connect((str(address), destination.port))
            except OSError as error:
                failure = error
                continue
            yield connecting
            return
    raise failure


def _exchange(
    stream: _BoundedStream, destination: Destination, headers: Mapping[str, str], body: bytes
) -> int:
    connection = http.client.HTTPConnection(destination.host, destination.port)
    connection.auto_open = 0  # never connects by itself, which would resolve the name again
    connection.sock = stream
    connection.putrequest("POST", destination.target, skip_host=True, skip_accept_encoding=True)
    fixed = {
        "host": destination.authority,
        "user-agent": USER_AGENT,
        "content-type": "application/json",
        "content-length": str(len(body)),
        "connection": "close",
    }
    for name, value in (fixed | dict(headers)).items():
        connection.putheader(name, value)
    connection.endheaders(body)
    response = connection.getresponse()
    # The status decides. The body is read only so that closing the socket does not reset a
    # connection that the receiver still writes to; a long or endless one is cut off.
    with suppress(OSError, http.client.HTTPException):
        response.read(RESPONSE_BYTES_MAX)
    return response.status


@contextmanager
def _delivery_errors() -> Iterator[None]:
    """Translate what sockets, TLS and ``http.client`` raise into sentences of ours."""
    try:
        yield
    except TimeoutError:
        raise DeliveryError("the receiver did not answer in time") from None
    except ssl.SSLCertVerificationError as error:
        raise DeliveryError(f"the certificate is not valid: {error.verify_message}") from None
    except ssl.SSLError:
        raise DeliveryError("the TLS handshake failed") from None
    except ConnectionRefusedError:
        raise DeliveryError("the receiver refused the connection") from None
    except OSError:
        raise DeliveryError("the connection failed or was closed") from None
    except http.client.HTTPException:
        raise DeliveryError("the answer is not valid HTTP") from None
