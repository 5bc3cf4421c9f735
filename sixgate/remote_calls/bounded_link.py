"""Client of Sixgate's own servers over mutual TLS; each call has a total timeout."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any, TypeVar

import aiohttp

from sixgate.config.links import ServerAddress
from sixgate.remote_calls.link import Answer, NoResponseError
from sixgate.remote_calls.mutual_tls import client_context

CALLS_MAX = 16
_GRACE_S = 1.0
_DRAIN_S = 0.05
T = TypeVar("T")


class BoundedLink:
    """Sends requests to one server; never retries, follows no redirect. Thread-safe.

    An event loop in its own thread serves the connections; each carries one call.
    """

    def __init__(self, address: ServerAddress, answer_bytes_max: int) -> None:
        """Open no connection yet; raises ``SettingsError`` for invalid certificates."""
        self._url = address.url.rstrip("/")
        self._tls = client_context(address.tls, address.what) if address.tls else None
        self._call_s_max = address.call_ms_max / 1000
        self._answer_bytes_max = answer_bytes_max
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)
        self._thread.start()
        # No timeout: this opens no connection, and giving up would leak the thread.
        self._session = asyncio.run_coroutine_threadsafe(self._open_session(), self._loop).result()

    def ask(self, method: str, target: str, body: bytes) -> Answer:
        """Send a request and return the whole response; raise ``NoResponseError``."""
        return self._await(self._ask(method, target, body))

    def close(self) -> None:
        """Close connections and thread; later calls raise ``NoResponseError``."""
        if self._loop.is_running():
            with suppress(NoResponseError):
                self._await(self._close_session())
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(self._call_s_max)

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.close()

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            waiting = asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:  # the link is closed
            work.close()
            raise NoResponseError from None
        try:
            return waiting.result(self._call_s_max + _GRACE_S)
        except (aiohttp.ClientError, TimeoutError, CancelledError, OSError):
            waiting.cancel()
            raise NoResponseError from None

    async def _open_session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=self._tls or True, limit=CALLS_MAX, force_close=True
            ),
            timeout=aiohttp.ClientTimeout(total=self._call_s_max),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )

    async def _close_session(self) -> None:
        await self._session.close()
        await asyncio.sleep(_DRAIN_S)  # connections finish closing in a later turn of the loop

    async def _ask(self, method: str, target: str, body: bytes) -> Answer:
        asking = self._session.request(method, self._url + target, data=body, allow_redirects=False)
        async with asking as response:
            if response.content_length is None and "Transfer-Encoding" not in response.headers:
                raise NoResponseError  # without a length, a cut connection looks like its end
            content = bytearray()
            async for chunk in response.content.iter_any():
                content += chunk
                if len(content) > self._answer_bytes_max:
                    raise NoResponseError
            return Answer(response.status, bytes(content))
