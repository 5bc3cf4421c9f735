"""Ctrl-C where nothing could answer it in order: before there is a command, and inside pydantic."""

import os
import signal
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

AGAIN_S = 0.01


def leave_at_once() -> None:
    """Let Ctrl-C end the process with its code, unless whoever started it decided otherwise.

    An import that is interrupted leaves modules half made, and the next error is about those.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def raise_again() -> None:
    """Let Ctrl-C raise ``KeyboardInterrupt`` from now on, a moment later where pydantic is at work.

    Raised there it ends as an error of pydantic's or, in a union, is forgotten.
    """
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGALRM, _interrupt)
        signal.signal(signal.SIGINT, _interrupt)


def ignore() -> None:
    """Ignore Ctrl-C from now on: a command that has failed keeps its sentence and exit code."""
    if signal.getsignal(signal.SIGINT) in (_leave, _interrupt):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, signal.SIG_IGN)


def _interrupt(_number: int, frame: FrameType | None) -> None:
    if "pydantic" not in _packages(frame):
        raise KeyboardInterrupt
    signal.setitimer(signal.ITIMER_REAL, AGAIN_S)


def _packages(frame: FrameType | None) -> Iterator[str]:
    """Yield whose code is at work, the innermost first."""
    while frame is not None:
        yield frame.f_globals.get("__name__", "").partition(".")[0]
        frame = frame.f_back


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    os.write(2, b"Error: interrupted: nothing was done\n")
    os._exit(130)
