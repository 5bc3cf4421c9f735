"""The projection that the HTTP API of a data folder reads."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from sixgate.api_error import ApiError
from sixgate.backends.ports import Read
from sixgate.data_folder.folder import Folder
from sixgate.gateway.transactions import Transactions

# The thread stops between two steps.
STEP_S_MAX = 1.0


@contextmanager
def folded_transactions(folder: Folder, read: Read) -> Iterator[Transactions]:
    """Lend the projection; a thread builds an absent or outdated one, and reads wait for it."""
    stop = threading.Event()
    with (
        read.feed() as feed,
        closing(Transactions(folder.reads, feed, lambda: read.registered)) as transactions,
    ):

        def catch_up() -> None:
            while not stop.is_set():
                with suppress(ApiError):  # each read that fails says why
                    transactions.catch_up(STEP_S_MAX)
                    return
                stop.wait(STEP_S_MAX / 100)

        thread = threading.Thread(target=catch_up, name="reads", daemon=True)
        thread.start()
        try:
            yield transactions
        finally:
            stop.set()
            thread.join()
