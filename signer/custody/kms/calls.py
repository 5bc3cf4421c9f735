"""Calls to a cloud's SDK: bounded in time and number, and failing in our own words alone.

SDKs bound a connection and the silence between two bytes, but not a whole call: a server that sends
a byte now and then, a slow name server or a token that is fetched on the way hold it for as long as
they like. So each call has a thread to itself, and whoever asked waits no longer than was said.
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

SENTENCES: dict[type[CustodyError], str] = {
    KmsUnavailableError: "{} gave no answer that counts; try again, and see that it is reachable.",
    KmsDeniedError: "{} may not be used by this caller; give it the key's rights, or mend its "
    "credentials.",
    KmsKeyDisabledError: "{} is disabled, destroyed or about to be; nothing under it opens until "
    "it is enabled.",
    KmsKeyNotFoundError: "{} is not there, or is not what this was wrapped with; see that the "
    "settings name the right key.",
    CorruptError: "{} refused what it was given as changed, cut short, or of another context; "
    "restore it from a backup.",
}


@dataclass(frozen=True, slots=True)
class CallLimits:
    """How long connecting and a whole call may take, and how many calls are under way at most."""

    connect_ms_max: int = 1_000
    call_ms_max: int = 3_000
    calls_max: int = 16

    @property
    def connect_s_max(self) -> float:
        """The bound on connecting in seconds, as the SDKs take it; never over the whole call's."""
        return min(self.connect_ms_max, self.call_ms_max) / 1000

    @property
    def call_s_max(self) -> float:
        """The bound on a whole call in seconds."""
        return self.call_ms_max / 1000


class Calls:
    """Makes the calls of one adapter; safe for several threads.

    ``translate`` names the error of ours that a foreign exception is. What is raised carries
    nothing of the exception: no text, no cause, no context, no frame of the SDK that held a key.
    """

    __slots__ = ("_limits", "_places", "_translate", "key_id")

    def __init__(self, key_id: str, limits: CallLimits, translate: Translate) -> None:
        self.key_id = key_id
        self._limits = limits
        self._translate = translate
        self._places = threading.BoundedSemaphore(limits.calls_max)

    def run(self, call: Callable[[], T]) -> T:
        """Return what ``call`` does within ``call_ms_max``, the wait for a place included.

        A call that is given up ends by the SDK's own time-out; until then it keeps its place, and
        the buffer that it may still bring is wiped.
        """
        until_s = time.monotonic() + self._limits.call_s_max
        if not self._places.acquire(timeout=self._limits.call_s_max):
            raise self._told(KmsUnavailableError)
        answer: Future[T] = Future()
        self._begin(call, answer)
        wait([answer], max(0.0, until_s - time.monotonic()))
        if not answer.done():
            answer.add_done_callback(_wipe_late)
            raise self._told(KmsUnavailableError)
        return answer.result()

    def _begin(self, call: Callable[[], T], answer: Future[T]) -> None:
        try:
            run_in_thread(partial(self._answer, call, answer))
        except RuntimeError:  # the system has no thread left
            self._places.release()
            answer.set_exception(self._told(KmsUnavailableError))

    def _answer(self, call: Callable[[], T], answer: Future[T]) -> None:
        try:
            answer.set_result(call())
        except CustodyError as error:  # made anew, as its frames hold what the KMS answered
            answer.set_exception(type(error)(str(error)))
        except Exception as error:  # noqa: BLE001 - whatever an SDK makes of whatever was sent
            answer.set_exception(self._told(self._translate(error)))
        finally:
            self._places.release()

    def _told(self, kind: type[CustodyError]) -> CustodyError:
        return kind(SENTENCES[kind].format(self.key_id))


def _wipe_late(answer: Future[T]) -> None:
    if answer.exception() is None and isinstance(brought := answer.result(), bytearray):
        wipe(brought)
