"""Progress on standard error: only on a terminal, and only for what takes over a second."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from sixgate.cli.terminal import Screen, notices

PATIENCE_S = 1.0
WAITING = "waiting for the signer"
Item = TypeVar("Item")


class Bar:
    """One bar, which ``update`` moves; until a total is known it only shows that there is life."""

    def __init__(self, update: Callable[..., Any]) -> None:
        self._update = update

    def show(self, done: int, total: int | None = None, title: str | None = None) -> None:
        """Set how much is done, and of how much."""
        self._update(completed=done, total=total, description=title)

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
    if not console.is_terminal:
        yield Bar(_unseen)
        return
    with _shown(console, title, total) as bar:
        yield bar


def _unseen(**_: object) -> None:
    """Show nothing: there is no terminal."""


@contextmanager
def _shown(console: Screen, title: str, total: int | None) -> Iterator[Bar]:
    from rich import progress as looks  # only a terminal needs it

    columns = (
        looks.TextColumn("{task.description}"),
        looks.BarColumn(),
        looks.MofNCompleteColumn(),
        looks.TimeElapsedColumn(),
    )
    shown = looks.Progress(*columns, console=console, transient=True)
    task = shown.add_task(title, total=total)
    timer = threading.Timer(PATIENCE_S, shown.start)
    timer.daemon = True
    timer.start()
    try:
        yield Bar(lambda **news: shown.update(task, **news))
    finally:
        timer.cancel()
        timer.join()
        shown.stop()
