"""Turns progress callbacks of a task into a stream."""

import queue
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias, TypeVar

from sixgate.api import Json

Progress: TypeAlias = Callable[[int, int], None]
Result = TypeVar("Result")


def stream_progress(
    work: Callable[[Progress], Result], **named: str
) -> Generator[Json, None, Result]:
    """Run work in a thread; return its result or raise its error.

    Yields ``{"progress": done, "of": total, **named}`` for each callback. Closing the stream early
    waits for the work to finish.
    """
    steps: queue.SimpleQueue[tuple[int, int] | None] = queue.SimpleQueue()

    def run() -> Result:
        try:
            return work(lambda done, total: steps.put((done, total)))
        finally:
            steps.put(None)

    with ThreadPoolExecutor(1, "stream_progress") as executor:
        result = executor.submit(run)
        while step := steps.get():
            yield {"progress": step[0], "of": step[1], **named}
        return result.result()
