"""Work that tells its progress by calling back, as a stream of that progress."""

import queue
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias, TypeVar

from sixgate.api import Json

Progress: TypeAlias = Callable[[int, int], None]
Result = TypeVar("Result")


def progressing(work: Callable[[Progress], Result], **named: str) -> Generator[Json, None, Result]:
    """Run work in a thread; return or raise what it does.

    Yields ``{"progress": done, "of": total}`` with what is ``named`` as the work tells it. A stream
    that nobody reads any more ends with the work.
    """
    steps: queue.SimpleQueue[tuple[int, int] | None] = queue.SimpleQueue()

    def run() -> Result:
        try:
            return work(lambda done, total: steps.put((done, total)))
        finally:
            steps.put(None)

    with ThreadPoolExecutor(1, "progressing") as executor:
        result = executor.submit(run)
        while step := steps.get():
            yield {"progress": step[0], "of": step[1], **named}
        return result.result()
