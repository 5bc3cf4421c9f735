"""A background thread that repeats a step, sleeps while idle, and reports its failure."""

import threading
from collections.abc import Callable


class Loop:
    """Repeats ``step`` until stopped. ``step`` returns how many items it processed.

    After 0 items the thread sleeps for ``idle_s``, or until ``wake``. The first exception ends the
    loop and is passed to ``on_failure``.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], int],
        on_failure: Callable[[BaseException], None],
        idle_s: float = 0.05,
    ) -> None:
        self._step = step
        self._idle_s = idle_s
        self._on_failure = on_failure
        self._stopping = threading.Event()
        self._work = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """End an idle sleep: there is work."""
        self._work.set()

    def stop(self) -> None:
        """End after the current step, and wait for that."""
        self._stopping.set()
        self._work.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._work.clear()
                if not self._step():
                    self._work.wait(self._idle_s)
        except BaseException as error:  # noqa: BLE001 - passed to the owner, which ends the process
            self._on_failure(error)
