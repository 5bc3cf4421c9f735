"""A thread that repeats a step, sleeps when there is nothing to do, and never fails silently."""

import threading
from collections.abc import Callable


class Loop:
    """Runs ``step`` until stopped; ``wake`` ends an idle sleep at once.

    A step that did nothing is followed by a sleep of ``idle_s``. The first exception ends the
    loop and is given to ``on_failure``.
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
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Say that there is work."""
        self._work.set()

    def stop(self) -> None:
        """End after the current step and wait for it."""
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
        except BaseException as error:  # noqa: BLE001 - handed to the owner, who ends the process
            self._on_failure(error)
