"""Transport of an HTTP connection that closes in bounded time, whatever its client does."""

import asyncio
from typing import Any

LINGER_S = 2.0
PROGRESS_BYTES_MIN = 16 * 1024


class BoundedTransport(asyncio.Transport):
    """Wraps a transport: a client that does not read is cut off.

    A closing connection still reads and discards for ``LINGER_S``: closing a socket with unread
    data resets the connection, and the client loses a reply that it has not read.
    """

    def __init__(
        self, inner: asyncio.Transport, loop: asyncio.AbstractEventLoop, write_s_max: float
    ) -> None:
        super().__init__()
        self._inner = inner
        self._loop = loop
        self._write_s_max = write_s_max
        self._closing = False
        self._held = b""
        self._unsent = 0
        self._timer: asyncio.TimerHandle | None = None

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return a fact about the connection."""
        return self._inner.get_extra_info(name, default)

    def is_closing(self) -> bool:
        """Return whether the connection closes; it then accepts no more data."""
        return self._closing or self._inner.is_closing()

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        """Send data, unless the connection closes.

        The head of a reply waits for its body until this turn of the loop ends: each write is a
        system call, and over TLS a record.
        """
        if self.is_closing():
            return
        if self._held:
            held, self._held = self._held, b""
            self._inner.writelines([held, data])
        else:
            self._held = bytes(data)
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        if self._held and not self._inner.is_closing():
            held, self._held = self._held, b""
            self._inner.write(held)

    def close(self) -> None:
        """Send what is buffered, signal the end, and close when the client has closed."""
        if self.is_closing():
            return
        self._flush()
        self._closing = True
        self._inner.resume_reading()
        if self._inner.can_write_eof():
            self._inner.write_eof()
        else:  # TLS sends its own end, and reads until the client's
            self._inner.close()
        self.watch()

    def close_idle(self) -> None:
        """Close a connection without a request: there is nothing to discard."""
        self._flush()
        if self._inner.get_write_buffer_size():
            self.close()
        else:
            self._closing = True
            self._inner.close()

    def abort(self) -> None:
        """Close without sending what is buffered."""
        self._closing = True
        self._held = b""
        self._inner.abort()

    def watch(self) -> None:
        """Cut the client off unless it reads until ``unwatch``."""
        self.unwatch()
        self._unsent = self._inner.get_write_buffer_size()
        wait_s = self._write_s_max if self._unsent else LINGER_S
        self._timer = self._loop.call_later(wait_s, self._check)

    def unwatch(self) -> None:
        """Stop watching: the client has read enough, or is gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        before, now = self._unsent, self._inner.get_write_buffer_size()
        if before - now < min(before, PROGRESS_BYTES_MIN) or not before:
            self.abort()
        else:
            self.watch()
