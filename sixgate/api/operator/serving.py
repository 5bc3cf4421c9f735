"""Serves a node's ``Api`` over HTTP on its folder's Unix socket, and never on TCP."""

from collections.abc import Iterator
from contextlib import contextmanager

from sixgate.api.errors import api_error
from sixgate.api.operator.calls import OPERATOR_CALLS
from sixgate.api.server import Limits, Listen, serving
from sixgate.data_folder.folder import Folder
from sixgate.embedded.node import Node
from sixgate.remote_calls.calls_app import STREAMS_MAX, CallsApp

MIB = 1024 * 1024
# A command line's argument may have 128 KiB, and three bytes for each of them in a query.
LIMITS = Limits(
    head_s_max=60,
    body_s_max=60,
    write_s_max=60,
    stop_s_max=1,
    head_bytes_max=MIB // 2,
    body_bytes_max=64 * MIB,
    connections_max=512,
    requests_max=2 * STREAMS_MAX,
)


@contextmanager
def serving_operators(folder: Folder, node: Node) -> Iterator[None]:
    """Serve a node's ``Api`` on the folder's socket (mode 0600) until the block ends."""
    # Ticks show that a client that follows has disconnected.
    app = CallsApp(OPERATOR_CALLS, lambda _caller: node, api_error, {"signed": "signed_or_tick"})
    with serving(app, Listen(socket=folder.socket), LIMITS):
        try:
            yield
        finally:
            app.end_streams()
