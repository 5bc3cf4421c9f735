"""Progress bars on standard error: only on a terminal, and only after one second."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from sixgate.cli.terminal import Screen, notices

DELAY_S = 1.0
WAITING = "waiting for the signer"
Item = TypeVar("Item")


class Bar:
    """A progress bar; without a total it only shows activity."""

    def __init__(self, update: Callable[..., Any]) -> None:
        self._update = update

    def show(self, done: int, total: int | None = None, title: str | None = None) -> None:
        """Set the number of items done, and the total."""
        self._update(completed=done, total=total, description=title)

    def track(self, items: Sequence[Item]) -> Iterator[Item]:
        """Yield items and count those done."""
        for done, item in enumerate(items):
            self.show(done, len(items))
            yield item
        self.show(len(items), len(items))


@contextmanager
def progress(title: str, total: int | None = None) -> Iterator[Bar]:
    """Yield a bar that appears after a second and is erased at the end."""
    console = notices()
    if not console.is_terminal:
        yield Bar(_no_update)
        return
    with _shown(console, title, total) as bar:
        yield bar


def _no_update(**_: object) -> None:
    """Do nothing: there is no terminal."""


@contextmanager
def _shown(console: Screen, title: str, total: int | None) -> Iterator[Bar]:
    from rich import progress as bars  # slow, and only needed on a terminal

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeElapsedColumn(),
    )
    shown = bars.Progress(*columns, console=console, transient=True)
    task = shown.add_task(title, total=total)
    timer = threading.Timer(DELAY_S, shown.start)
    timer.daemon = True
    timer.start()
    try:
        yield Bar(lambda **news: shown.update(task, **news))
    finally:
        timer.cancel()
        timer.join()
        shown.stop()
