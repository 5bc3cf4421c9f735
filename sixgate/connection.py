"""Reaching the node of a data folder: in this process, or over the owner's Unix socket.

One JSON line asks ``{"method", "values", "named"}``; lines answer ``{"item"}`` for each value of a
stream (null is a tick that says the stream is alive) and last ``{"done"}`` or ``{"error": {"code",
"sentence"}}``.
"""

import os
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import orjson

from sixgate.api import Api, ApiError, Json
from sixgate.folder import Folder, FolderBusy
from sixgate.node import Node, running

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
REQUEST_BYTES_MAX = 64 * 1024 * 1024
REQUEST_S_MAX = 60.0
DIAL_S_MAX = 30.0
DIAL_PAUSE_S = 0.05


@contextmanager
def connect(path: Path) -> Iterator[Api]:
    """Lend an ``Api`` for a data folder.

    Whoever finds the folder free owns it, runs its pipeline and serves others meanwhile. Raises
    ``FolderError`` and whatever halts the pipeline.
    """
    folder = Folder(path)
    folder.trust()
    with ExitStack() as stack:
        yield _own_or_dial(folder, stack)


def serve(path: Path, stop: threading.Event, on_ready: Callable[[Folder], None]) -> None:
    """Own a data folder and serve it until ``stop`` is set; ``on_ready`` is told when it listens.

    Raises ``FolderBusy`` if somebody else owns it, and whatever halts the pipeline.
    """
    folder = Folder(path)
    folder.trust()
    with folder.owned(), running(folder) as node, serving(folder, node):
        on_ready(folder)
        node.wait(stop)


@contextmanager
def serving(folder: Folder, node: Node) -> Iterator[None]:
    """Serve a node's ``Api`` on the folder's socket (mode 0600) until the block ends."""
    with _directory(folder) as directory:
        address = f"{directory}/{folder.socket.name}"
        with suppress(FileNotFoundError):
            folder.socket.unlink()
        with _Server(address, node) as server:
            folder.socket.chmod(0o600)
            made = folder.socket.stat().st_ino
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            try:
                yield
            finally:
                server.shutdown()
                _unlink(folder.socket, made)


def _unlink(path: Path, made: int) -> None:
    """Remove our own socket, not one that a later owner put in its place."""
    with suppress(FileNotFoundError):
        if path.stat().st_ino == made:
            path.unlink()


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
        with closing(self._dial()) as link, link.makefile("rwb") as lines:
            lines.write(orjson.dumps({"method": method, "values": values, "named": named}) + b"\n")
            lines.flush()
            for line in lines:
                answer = orjson.loads(line)
                if "error" in answer:
                    raise ApiError(**answer["error"])
                if "done" in answer:
                    if method in PLAIN:
                        yield answer["done"]
                    return
                if answer["item"] is not None:
                    yield answer["item"]
        raise ApiError("connection_lost", "the owner of the folder went away: run this again")


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: str, node: Node) -> None:
        self.node = node
        before = os.umask(0o177)
        try:
            super().__init__(address, _Handler)
        finally:
            os.umask(before)


class _Handler(socketserver.StreamRequestHandler):
    timeout = REQUEST_S_MAX

    def handle(self) -> None:
        node = cast(_Server, self.server).node
        with suppress(BrokenPipeError, ConnectionResetError, TimeoutError):
            line = self.rfile.readline(REQUEST_BYTES_MAX)
            for answer in _answers(node, line):
                self.wfile.write(orjson.dumps(answer) + b"\n")


def _answers(node: Node, line: bytes) -> Iterator[Json]:
    try:
        request = orjson.loads(line)
        method = request["method"]
        call = _method(node, method)
        answer = call(*request["values"], **request["named"])
        if method in PLAIN:
            yield {"done": answer}
            return
        for item in answer:
            yield {"item": item}
        yield {"done": None}
    except ApiError as error:
        yield {"error": {"code": error.code, "sentence": str(error)}}
    except Exception as error:  # noqa: BLE001 - told to the client, who asked for it
        sentence = f"the request cannot be served: {type(error).__name__}"
        yield {"error": {"code": "request_malformed", "sentence": sentence}}


def _method(node: Node, name: str) -> Callable[..., Any]:
    if name not in PLAIN + STREAMS:
        raise ApiError("method_unknown", f"there is no method {name}")
    # A tick now and then finds out that a client who follows has gone away.
    found: Callable[..., Any] = node.signed_or_tick if name == "signed" else getattr(node, name)
    return found


def _own_or_dial(folder: Folder, stack: ExitStack) -> Api:
    end = time.monotonic() + DIAL_S_MAX
    while True:
        try:
            stack.enter_context(folder.owned())
        except FolderBusy:
            with suppress(ConnectionRefusedError, FileNotFoundError):
                _dial(folder).close()
                return cast(Api, RemoteApi(lambda: _dial(folder)))
            if time.monotonic() > end:
                raise
            time.sleep(DIAL_PAUSE_S)
            continue
        node = stack.enter_context(running(folder))
        stack.enter_context(serving(folder, node))
        return node


def _dial(folder: Folder) -> socket.socket:
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _directory(folder) as directory:
            link.connect(f"{directory}/{folder.socket.name}")
    except OSError:
        link.close()
        raise
    return link


@contextmanager
def _directory(folder: Folder) -> Iterator[str]:
    """Lend a short name of the folder: a socket's address holds only 107 bytes."""
    handle = os.open(folder.path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}"
    finally:
        os.close(handle)
