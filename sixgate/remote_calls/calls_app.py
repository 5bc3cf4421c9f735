"""ASGI application that answers the calls of a table with the methods of an object.

An answer is JSON, a stream is JSON lines (``line_stream.py``), and an error is a problem document
with ``code`` and ``detail``. Every call runs in a thread of its own.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, Generic, TypeVar

import orjson

from signer.custody.thread_pool import run_in_thread
from sixgate.api.exchange import Receive, Scope, Send
from sixgate.api.problems import status_of_code
from sixgate.api.refusal import Refusal
from sixgate.api_error import ApiError
from sixgate.remote_calls.call_table import Call, CallTable
from sixgate.remote_calls.line_stream import LineStream
from sixgate.remote_calls.replies import (
    Caller,
    body_of,
    caller_of,
    in_thread,
    send_json,
    send_refusal,
)

T = TypeVar("T")
STREAMS_MAX = 128
RETRY_S = 1


class CallsApp(Generic[T]):
    """Answers the calls of a table; ``target_of`` returns the object that answers a caller.

    ``error_of`` translates an exception of a method. ``ticking`` maps streams to methods of the
    target that also yield None while there is nothing, so that a stream ends soon after its client
    left. At most ``STREAMS_MAX`` streams run at once; other calls do not wait for them.
    """

    def __init__(
        self,
        calls: CallTable[T],
        target_of: Callable[[Caller], T],
        error_of: Callable[[Exception], ApiError],
        ticking: Mapping[str, str] | None = None,
    ) -> None:
        self._calls = calls
        self._target_of = target_of
        self._error_of = error_of
        self._ticking = dict(ticking or {})
        self._streams: dict[LineStream, None] = {}
        self._free_streams = threading.Semaphore(STREAMS_MAX)
        self._ending = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":  # the server starts and stops
            return
        call = self._calls.by_route.get((scope["method"], scope["path"]))
        if call is None:
            await send_refusal(send, _no_such_call(scope))
            return
        body = await body_of(receive)
        if body is None:  # truncated
            return
        try:
            function = self._function(call, scope, body)
            if call.streams:
                stream = self._start(function)
            else:
                answer = await in_thread(lambda: orjson.dumps(function()))
        except Exception as error:  # noqa: BLE001 - sent to the client
            await send_refusal(send, refusal_of(self._error_of(error)))
            return
        if not call.streams:
            await send_json(send, answer)
            return
        try:
            await stream.send(receive, send)
        finally:
            del self._streams[stream]

    def end_streams(self) -> None:
        """End all streams, because the server stops. Thread-safe."""
        self._ending = True
        for stream in list(self._streams):
            stream.end(_ending())

    def _function(self, call: Call, scope: Scope, body: bytes) -> Callable[[], Any]:
        values, named = call.arguments(scope["query_string"], body)
        target = self._target_of(caller_of(scope))
        method = getattr(target, self._ticking.get(call.name, call.name))
        return lambda: method(*values, **named)

    def _start(self, function: Callable[[], Iterator[Any]]) -> LineStream:
        """Start a stream; raise ``ApiError`` ``busy`` if there are too many."""
        if self._ending:
            raise _ending()
        if not self._free_streams.acquire(blocking=False):
            sentence = f"{STREAMS_MAX} clients follow already: retry when one has disconnected"
            raise ApiError("busy", sentence)
        stream = LineStream(self._error_of)

        def produce() -> None:
            try:
                stream.produce(function)
            finally:
                self._free_streams.release()

        try:
            run_in_thread(produce)
        except RuntimeError:  # no thread can be started
            self._free_streams.release()
            raise
        self._streams[stream] = None
        return stream


def refusal_of(error: ApiError) -> Refusal:
    """Return an error as a problem document; its detail is the error's sentence."""
    status = HTTPStatus(status_of_code(error.code))
    waiting = status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
    return Refusal(status, error.code, str(error), RETRY_S if waiting else None)


def _ending() -> ApiError:
    return ApiError("connection_lost", "the server of this call ends: run this again")


def _no_such_call(scope: Scope) -> Refusal:
    sentence = f"no call {scope['method']} {scope['path']!a}: this server is not the HTTP API"
    return Refusal(HTTPStatus.NOT_FOUND, "method_unknown", sentence)
