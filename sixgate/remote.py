"""The node of a data folder in another process, over the owner's Unix socket.

One JSON line asks ``{"method", "values", "named"}``; lines answer ``{"item"}`` for each value of a
stream (null is a tick that says the stream is alive) and last ``{"done"}`` or ``{"error": {"code",
"sentence"}}``.
"""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import orjson

from sixgate.api import ApiError, Json
from sixgate.folder import Folder

PLAIN = (
    "status",
    "registry",
    "register",
    "provision",
    "intents",
    "trail",
    "budgets",
    "head",
    "sql",
)
STREAMS = ("submit", "signed", "verify", "export")


class RemoteApi:
    """The ``Api`` of a node in another process; its methods are those named in this module."""

    def __init__(self, dial: Callable[[], socket.socket]) -> None:
        self._dial = dial

    def __getattr__(self, method: str) -> Callable[..., Any]:
        if method in PLAIN:
            return lambda *values, **named: next(self._ask(method, values, named))
        if method in STREAMS:
            return lambda *values, **named: self._ask(method, values, named)
        raise AttributeError(method)

    def _ask(self, method: str, values: tuple[Any, ...], named: Json) -> Iterator[Any]:
        request = orjson.dumps({"method": method, "values": values, "named": named})
        for answer in self._answers(request):
            if "error" in answer:
                raise ApiError(**answer["error"])
            if "done" in answer:
                if method in PLAIN:
                    yield answer["done"]
                return
            if answer["item"] is not None:
                yield answer["item"]

    def _answers(self, request: bytes) -> Iterator[Json]:
        """Yield the lines that answer; raise ``connection_lost`` when they end before the last."""
        try:
            with closing(self._dial()) as link, link.makefile("rb") as lines:
                link.sendall(request + b"\n")
                for line in lines:
                    yield orjson.loads(line)
        except (OSError, orjson.JSONDecodeError):
            pass  # told below, as is an end too early
        raise ApiError("connection_lost", "the owner of the folder went away: run this again")


def dial(folder: Folder) -> socket.socket:
    """Connect to whoever owns a folder; raises ``OSError`` if nobody listens."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with socket_address(folder) as address:
            link.connect(address)
    except OSError:
        link.close()
        raise
    return link


@contextmanager
def socket_address(folder: Folder) -> Iterator[str]:
    """Lend a short name of the folder's socket: an address holds only 107 bytes."""
    handle = os.open(folder.path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}/{folder.socket.name}"
    finally:
        os.close(handle)
