"""A loopback proxy that takes a request to its server and loses the answer."""

import socket
import threading
from contextlib import suppress

_CHUNK_BYTES = 65_536


class LossyProxy:
    """Forwards connections to a port; ``lose_answer_to`` cuts the next one that sends the mark.

    The request reaches the server whole and is executed; its answer goes nowhere.
    """

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._mark = b""
        self.lost = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def lose_answer_to(self, mark: bytes) -> None:
        self._mark = mark

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

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._target) as server:
            doomed = threading.Event()
            up = threading.Thread(target=self._upwards, args=(client, server, doomed), daemon=True)
            up.start()
            self._downwards(server, client, doomed)
            for end in (client, server):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            up.join()

    def _upwards(
        self, client: socket.socket, server: socket.socket, doomed: threading.Event
    ) -> None:
        with suppress(OSError):
            while part := client.recv(_CHUNK_BYTES):
                if self._mark and self._mark in part:
                    self._mark = b""
                    doomed.set()
                server.sendall(part)
            server.shutdown(socket.SHUT_WR)

    def _downwards(
        self, server: socket.socket, client: socket.socket, doomed: threading.Event
    ) -> None:
        with suppress(OSError):
            while part := server.recv(_CHUNK_BYTES):
                if doomed.is_set():
                    self.lost += 1
                    return
                client.sendall(part)
