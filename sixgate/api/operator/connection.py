"""Connects to the node of a data folder: in this process, or in the one that owns the folder."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from sixgate.api import Api, ApiError
from sixgate.api.operator.calls import OPERATOR_CALLS
from sixgate.data_folder.folder import Folder, FolderBusyError
from sixgate.remote_calls.proxy import remote
from sixgate.remote_calls.unix_link import UnixLink, dial

DIAL_S_MAX = 30.0
DIAL_RETRY_S = 0.05


@contextmanager
def connect(path: Path) -> Iterator[Api]:
    """Lend an ``Api`` for a data folder.

    If no process owns the folder, this one does: it runs the pipeline and serves other processes
    until the block ends. Raises ``FolderError`` and the error that halts the pipeline.
    """
    folder = Folder(path)
    folder.trust()
    with ExitStack() as stack:
        yield _own_or_dial(folder, stack)


def remote_api(folder: Folder) -> Api:
    """Return the ``Api`` of the process that owns a folder; each call connects to its socket."""
    return remote(UnixLink(lambda: dial(folder.socket)), OPERATOR_CALLS, lost)


def lost(_failure: Exception) -> ApiError:
    """Return the error of a call without an answer."""
    sentence = "the connection to the folder's owner was lost: run this again"
    return ApiError("connection_lost", sentence)


def _own_or_dial(folder: Folder, stack: ExitStack) -> Api:
    end = time.monotonic() + DIAL_S_MAX
    while True:
        try:
            stack.enter_context(folder.ownership_lock())
        except FolderBusyError:
            # The owner may still be starting, or just ending: then nothing listens yet.
            with suppress(ConnectionRefusedError, FileNotFoundError):
                dial(folder.socket).close()
                return remote_api(folder)
            if time.monotonic() > end:
                raise
            time.sleep(DIAL_RETRY_S)
            continue
        return _served(folder, stack)


def _served(folder: Folder, stack: ExitStack) -> Api:
    # Only an owner needs the ledger's engine, which is slow to load.
    from sixgate.api.operator.serving import serving_operators
    from sixgate.services.embedded.node import running

    node = stack.enter_context(running(folder))
    stack.enter_context(serving_operators(folder, node, on_demand=True))
    return node
