"""The thread that folds the log into the projection that the HTTP API reads."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from sixgate.api_error import ApiError
from sixgate.backends.ports import Read
from sixgate.gateway.transactions import Transactions

# The thread stops between two steps.
STEP_S_MAX = 1.0


@contextmanager
def folded_transactions(path: Path, read: Read, *, follow: bool) -> Iterator[Transactions]:
    """Lend the projection; a thread builds an absent or outdated one, and reads wait for it.

    With ``follow`` the thread goes on after that, so that reads find little left to fold.
    """
    stop = threading.Event()
    with (
        read.feed() as feed,
        closing(Transactions(path, feed, read)) as transactions,
    ):

        def catch_up() -> None:
            while not stop.is_set():
                pause_s = STEP_S_MAX / 100
                with suppress(ApiError):  # each read that fails says why
                    transactions.catch_up(STEP_S_MAX)
                    if not follow:
                        return
                    pause_s = STEP_S_MAX
                stop.wait(pause_s)

        thread = threading.Thread(target=catch_up, name="reads", daemon=True)
        thread.start()
        try:
            yield transactions
        finally:
            stop.set()
            thread.join()
