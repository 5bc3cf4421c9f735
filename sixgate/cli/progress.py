"""Progress on standard error: only on a terminal, and only for what takes over a second."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from sixgate.cli.terminal import notices

PATIENCE_S = 1.0
WAITING = "waiting for the signer"
Item = TypeVar("Item")


class Bar:
    """One bar; until a total is known it only shows that there is life."""

    def __init__(self, progress: Progress, title: str, total: int | None) -> None:
        self._progress = progress
        self._task = progress.add_task(title, total=total)

    def show(self, done: int, total: int | None = None, title: str | None = None) -> None:
        """Set how much is done, and of how much."""
        self._progress.update(self._task, completed=done, total=total, description=title)

    def track(self, items: Sequence[Item]) -> Iterator[Item]:
        """Yield items, counting those that are done."""
        for done, item in enumerate(items):
            self.show(done, len(items))
            yield item
        self.show(len(items), len(items))


@contextmanager
def progress(title: str, total: int | None = None) -> Iterator[Bar]:
    """Lend a bar that appears after a second and is gone at the end."""
    console = notices()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    shown = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    timer = threading.Timer(PATIENCE_S, shown.start)
    timer.daemon = True
    timer.start()
    try:
        yield Bar(shown, title, total)
    finally:
        timer.cancel()
        timer.join()
        shown.stop()
