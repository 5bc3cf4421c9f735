"""Serves a node's ``Api`` over HTTP on its folder's Unix socket, and never on TCP."""

import logging
import selectors
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial

from sixgate.api.listeners import Listen, Listener, listening
from sixgate.api.operator.calls import OPERATOR_CALLS
from sixgate.data_folder.folder import Folder
from sixgate.services.embedded.node import Node

BODY_BYTES_MAX = 64 * 1024 * 1024
# A command line's argument may have 128 KiB, and three bytes for each of them in a query.
HEAD_BYTES_MAX = 512 * 1024
TRANSFER_S_MAX, STOP_S_MAX = 60.0, 1.0
CONNECTIONS_MAX, REQUESTS_MAX = 512, 256
_LOG = logging.getLogger("sixgate.http")


@contextmanager
def serving_operators(folder: Folder, node: Node, *, on_demand: bool = False) -> Iterator[None]:
    """Serve a node's ``Api`` on the folder's socket (mode 0600) until the block ends.

    With ``on_demand`` the server is only loaded when the first client connects.
    """
    with listening(Listen(socket=folder.socket)) as (listeners, _):
        serving = partial(_serving, node, listeners)
        with _after_a_client(listeners[0].link, serving) if on_demand else serving():
            yield


@contextmanager
def _serving(node: Node, listeners: Sequence[Listener]) -> Iterator[None]:
    # Imports are local: they take a tenth of a second, and most commands have no clients.
    from sixgate.api.errors import api_error
    from sixgate.api.server import Limits, serving_at
    from sixgate.remote_calls.calls_app import CallsApp

    limits = Limits(
        head_s_max=TRANSFER_S_MAX,
        body_s_max=TRANSFER_S_MAX,
        write_s_max=TRANSFER_S_MAX,
        stop_s_max=STOP_S_MAX,
        head_bytes_max=HEAD_BYTES_MAX,
        body_bytes_max=BODY_BYTES_MAX,
        connections_max=CONNECTIONS_MAX,
        requests_max=REQUESTS_MAX,
    )
    # Ticks show that a client that follows has disconnected.
    app = CallsApp(OPERATOR_CALLS, lambda _caller: node, api_error, {"signed": "signed_or_tick"})
    with serving_at(app, listeners, limits):
        try:
            yield
        finally:
            app.end_streams()


@contextmanager
def _after_a_client(
    listener: socket.socket, serving: Callable[[], AbstractContextManager[None]]
) -> Iterator[None]:
    """Enter ``serving`` when a client connects, and leave it when the block ends."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with selectors.DefaultSelector() as waiting:
            waiting.register(listener, selectors.EVENT_READ)
            waiting.register(theirs, selectors.EVENT_READ)
            if any(key.fileobj is theirs for key, _ in waiting.select()):
                return
        try:
            with serving():
                theirs.recv(1)  # returns when the block ends
        except Exception:  # noqa: BLE001 - logged; the thread has no caller
            _LOG.exception("http.failed")
            listener.close()  # otherwise clients would wait for ever

    thread = threading.Thread(target=serve, name="operators", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ours.close()
        thread.join()
        theirs.close()
