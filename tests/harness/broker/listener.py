"""A loopback listener for fake servers, with one thread per connection."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

from tools.local.ports import HOST


class Listener:
    """Passes every connection to ``serve``, which closes it, until ``close`` is called."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self._serve = serve
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """Yield the port of a fake server that answers each request with these bytes and closes."""

    def serve(client: socket.socket) -> None:
        with client, suppress(OSError):
            client.recv(65_536)
            client.sendall(answer)
            client.shutdown(socket.SHUT_WR)
            while client.recv(65_536):
                pass

    with closing(Listener(serve)) as listener:
        yield listener.port


def relay(
    client: socket.socket,
    port: int,
    upwards: Callable[[socket.socket, socket.socket], None],
    downwards: Callable[[socket.socket, socket.socket], None],
) -> None:
    """Relay between a client and a loopback server until ``downwards`` returns; close both.

    ``upwards`` and ``downwards`` get source and destination, and run at the same time.
    """
    with client, suppress(OSError), socket.create_connection((HOST, port)) as server:
        up = threading.Thread(target=upwards, args=(client, server), daemon=True)
        up.start()
        downwards(server, client)
        for end in (client, server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        up.join()
