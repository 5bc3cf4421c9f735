"""Serves a node's ``Api`` on its folder's Unix socket; ``remote.py`` describes the protocol."""

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import orjson
from pydantic import ConfigDict, ValidationError, validate_call

from sixgate.api import Api, ApiError, Json
from sixgate.api.errors import api_error
from sixgate.data_folder.folder import Folder
from sixgate.embedded.node import Node
from sixgate.socket.remote import socket_address

REQUEST_BYTES_MAX = 64 * 1024 * 1024
REQUEST_S_MAX = 60.0
# A client that follows takes a thread and four open files; a process may be limited to 1,024.
CLIENTS_MAX = 128
_BUSY = f"{CLIENTS_MAX} clients are connected already: retry when one has disconnected"


@contextmanager
def serving(folder: Folder, node: Node) -> Iterator[None]:
    """Serve a node's ``Api`` on the folder's socket (mode 0600) until the block ends."""
    with socket_address(folder) as address:
        with suppress(FileNotFoundError):
            folder.socket.unlink()
        with _Server(address, node) as server:
            made = folder.socket.stat().st_ino
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            try:
                yield
            finally:
                server.shutdown()
                _unlink(folder.socket, made)


def _unlink(path: Path, made: int) -> None:
    """Remove our socket, but not the socket of a later owner."""
    with suppress(FileNotFoundError):
        if path.stat().st_ino == made:
            path.unlink()


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: str, node: Node) -> None:
        self.node = node
        self._clients = threading.Semaphore(CLIENTS_MAX)
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind, and restrict the socket to its owner before it listens."""
        super().server_bind()
        # Not by umask, which would apply to files that other threads create.
        Path(cast(str, self.server_address)).chmod(0o600)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a client in a new thread, or refuse it as ``busy``."""
        if self._clients.acquire(blocking=False):
            super().process_request(request, client_address)
            return
        with suppress(OSError):
            request.sendall(_error(ApiError("busy", _BUSY)) + b"\n")
        self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a client, then let another one connect."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._clients.release()


class _Handler(socketserver.StreamRequestHandler):
    timeout = REQUEST_S_MAX

    def handle(self) -> None:
        node = cast(_Server, self.server).node
        with suppress(BrokenPipeError, ConnectionResetError, TimeoutError):
            line = self.rfile.readline(REQUEST_BYTES_MAX)
            for answer in _answers(node, line):
                self.wfile.write(answer + b"\n")


def _answers(node: Node, line: bytes) -> Iterator[bytes]:
    try:
        method, values, named = _request(line)
        answer = _called(node, method, values, named)
        if isinstance(answer, Iterator):
            yield from (orjson.dumps({"item": item}) for item in answer)
            answer = None
        yield orjson.dumps({"done": answer})
    except Exception as error:  # noqa: BLE001 - sent to the client
        yield _error(api_error(error))


def _error(error: ApiError) -> bytes:
    return orjson.dumps({"error": {"code": error.code, "sentence": str(error)}})


def _request(line: bytes) -> tuple[str, list[Any], Json]:
    match _json(line):
        case {"method": str(method), "values": list(values), "named": dict(named)}:
            return method, values, named
    raise ApiError(
        "request_malformed", "the request must be an object with method, values and named"
    )


def _json(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        raise ApiError("request_malformed", "the request is not JSON") from None


def _called(node: Node, method: str, values: list[Any], named: Json) -> Any:
    if method not in _METHODS:
        raise ApiError("method_unknown", f"there is no method {method!a}")
    try:
        return _METHODS[method](node, *values, **named)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise ApiError("request_malformed", f"{method}: {where}: {problem['msg']}") from None


def _checked(method: str) -> Callable[..., Any]:
    # Ticks detect that a client that follows has disconnected.
    function = Node.signed_or_tick if method == "signed" else getattr(Node, method)
    return validate_call(config=ConfigDict(strict=True))(function)


_METHODS = {method: _checked(method) for method in vars(Api) if not method.startswith("_")}
