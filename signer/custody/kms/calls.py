"""Calls to a cloud's SDK: limited in time and concurrency, with Sixgate's own errors only.

SDKs have timeouts for connecting and for the pause between two bytes, but not for a whole call: a
server that sends a byte now and then, a slow name server or the fetch of a token can extend it
without limit. So each call runs in its own thread, and the caller stops waiting at the deadline.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from signer.custody.buffers import wipe
from signer.custody.errors import (
    CorruptError,
    CustodyError,
    KmsDeniedError,
    KmsKeyDisabledError,
    KmsKeyNotFoundError,
    KmsUnavailableError,
)
from signer.custody.thread_pool import run_in_thread

T = TypeVar("T")
Translate = Callable[[Exception], type[CustodyError]]

MESSAGES: dict[type[CustodyError], str] = {
    KmsUnavailableError: "{} gave no usable answer in time: retry, and check that it is reachable.",
    KmsDeniedError: "{} denied access to this caller: grant it the use of the key, or fix its "
    "credentials.",
    KmsKeyDisabledError: "{} is disabled, destroyed or scheduled for destruction; nothing under it "
    "opens until it is enabled.",
    KmsKeyNotFoundError: "{} does not exist, or did not wrap this value: check that the settings "
    "name the right key.",
    CorruptError: "{} rejected a value as modified, truncated, or of another context: restore it "
    "from a backup.",
}


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Timeouts of connecting and of a whole call, and the maximum number of concurrent calls."""

    connect_ms_max: int = 1_000
    call_ms_max: int = 3_000
    calls_max: int = 16

    @property
    def connect_s_max(self) -> float:
        """The connect timeout in seconds, as the SDKs take it; at most the call timeout."""
        return min(self.connect_ms_max, self.call_ms_max) / 1000

    @property
    def call_s_max(self) -> float:
        """The call timeout in seconds."""
        return self.call_ms_max / 1000


class Calls:
    """Makes the calls of one adapter; thread-safe.

    ``translate`` maps a foreign exception to one of our error types. The raised error carries
    nothing of the foreign one: no text, no cause, no context, no frame of the SDK that held a key.
    """

    __slots__ = ("_limits", "_permits", "_translate", "key_id")

    def __init__(self, key_id: str, limits: CallLimits, translate: Translate) -> None:
        self.key_id = key_id
        self._limits = limits
        self._translate = translate
        self._permits = threading.BoundedSemaphore(limits.calls_max)

    def run(self, call: Callable[[], T]) -> T:
        """Return the result of ``call`` within ``call_ms_max``, including the wait for a permit.

        An abandoned call ends by the SDK's own timeout. Until then it keeps its permit, and a late
        result is wiped.
        """
        deadline_s = time.monotonic() + self._limits.call_s_max
        if not self._permits.acquire(timeout=self._limits.call_s_max):
            raise self._error(KmsUnavailableError)
        answer: Future[T] = Future()
        self._start(call, answer)
        wait([answer], max(0.0, deadline_s - time.monotonic()))
        if not answer.done():
            answer.add_done_callback(_wipe_late)
            raise self._error(KmsUnavailableError)
        return answer.result()

    def _start(self, call: Callable[[], T], answer: Future[T]) -> None:
        try:
            run_in_thread(partial(self._run, call, answer))
        except RuntimeError:  # the system has no thread left
            self._permits.release()
            answer.set_exception(self._error(KmsUnavailableError))

    def _run(self, call: Callable[[], T], answer: Future[T]) -> None:
        try:
            answer.set_result(call())
        except CustodyError as error:  # a new object: the frames of this one hold the KMS's answer
            answer.set_exception(type(error)(str(error)))
        except Exception as error:  # noqa: BLE001 - SDKs raise anything for malformed answers
            answer.set_exception(self._error(self._translate(error)))
        finally:
            self._permits.release()

    def _error(self, error_type: type[CustodyError]) -> CustodyError:
        return error_type(MESSAGES[error_type].format(self.key_id))


def _wipe_late(answer: Future[T]) -> None:
    if answer.exception() is None and isinstance(late := answer.result(), bytearray):
        wipe(late)
