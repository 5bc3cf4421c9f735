"""The shared HTTP handler of the stand-ins."""

import json
import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.harness.kms.faults import DRIP_S, Fault, Faults

GARBAGE = b"\x00\xff<html>no JSON</html>"


class Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: these tests disconnect clients on purpose."""


class Handler(BaseHTTPRequestHandler):
    """Reads a whole request and answers with JSON, unless a fault is on."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes
    faults: Faults
    content_type = "application/json"

    def read(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def reply(self, status: int, body: Any, **headers: str) -> None:
        self.send(status, json.dumps(body).encode(), **headers)

    def send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", self.content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def broken(self) -> bool:
        """Inject a transport fault; return whether it replaced the answer."""
        match self.faults.meet():
            case Fault.HANG:
                self.faults.wait()
                self.close_connection = True
            case Fault.DRIP:
                self._drip()
            case Fault.CLOSE:
                with suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
            case Fault.GARBAGE:
                self.send(200, GARBAGE)
            case Fault.LATE:
                self.faults.be_late()
                return False
            case _:
                return False
        return True

    def _drip(self) -> None:
        """Send a byte now and then, so that no timeout between two bytes expires."""
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        with suppress(OSError):
            while self.faults.pause(DRIP_S):
                self.wfile.write(b" ")
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's own name
        """Print nothing."""


def serve(server: Quiet) -> None:
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
