"""Stream of JSON lines: a generator makes them in a thread, and an event loop sends them.

Each line is ``{"item": …}``, or empty while there is nothing (a tick). The last line is
``{"done": true}`` or ``{"error": {"code", "detail"}}``: a stream without it was truncated.
"""

import asyncio
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import orjson

from sixgate.api.exchange import Receive, Send
from sixgate.api_error import ApiError

LINES = b"application/x-ndjson"
BUFFER_BYTES_MAX = 256 * 1024
TICK, DONE = b"\n", b'{"done":true}\n'


class LineStream:
    """The lines of one stream; the generator waits while the client is slow.

    A generator cannot be interrupted: after the stream's end it is closed at its next item or tick.
    """

    def __init__(self, error_of: Callable[[Exception], ApiError]) -> None:
        self._error_of = error_of
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        self._changed = threading.Condition()
        self._lines: list[bytes] = []
        self._bytes = 0
        self._over = False

    def produce(self, start: Callable[[], Iterator[Any]]) -> None:
        """Run a generator until its end or the stream's; call it in a thread."""
        items: Iterator[Any] = iter(())
        try:
            items = start()
            for item in items:
                if not self._add(TICK if item is None else orjson.dumps({"item": item}) + b"\n"):
                    break
            last = DONE
        except Exception as error:  # noqa: BLE001 - sent to the client
            last = _error_line(self._error_of(error))
        finally:
            if isinstance(items, Generator):
                items.close()
        self._add(last, last=True)

    async def send(self, receive: Receive, send: Send) -> None:
        """Send the lines until the last one, or until the client leaves."""
        watching = asyncio.create_task(self._watch(receive))
        headers = [(b"content-type", LINES)]
        try:
            await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": headers})
            more = True
            while more:
                await self._ready.wait()
                body, more = self._take()
                await send({"type": "http.response.body", "body": body, "more_body": more})
        finally:
            watching.cancel()
            self.end()

    def end(self, error: ApiError | None = None) -> None:
        """End the stream, with an error as its last line if there is one."""
        self._add(_error_line(error) if error else b"", last=True)

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.end()

    def _take(self) -> tuple[bytes, bool]:
        with self._changed:
            self._ready.clear()
            body = b"".join(self._lines)
            self._lines.clear()
            self._bytes = 0
            self._changed.notify()
            return body, not self._over

    def _add(self, line: bytes, *, last: bool = False) -> bool:
        """Add a line; return False if the stream is over."""
        with self._changed:
            while self._bytes >= BUFFER_BYTES_MAX and not (self._over or last):
                self._changed.wait()
            if self._over:
                return False
            self._over = last
            self._lines.append(line)
            self._bytes += len(line)
            self._changed.notify()
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._ready.set)
        return True


def _error_line(error: ApiError) -> bytes:
    return orjson.dumps({"error": {"code": error.code, "detail": str(error)}}) + b"\n"
