"""Ctrl-C handling: during imports, inside pydantic, and after a command failed."""

import os
import signal
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

RETRY_S = 0.01


def exit_on_interrupt() -> None:
    """Make Ctrl-C exit immediately with code 130, unless the parent process set another handler.

    An interrupted import leaves half-initialised modules, which would raise misleading errors.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _exit)


def raise_on_interrupt() -> None:
    """Make Ctrl-C raise ``KeyboardInterrupt`` from now on, but never inside pydantic.

    Pydantic would turn it into an error of its own or, in a union, swallow it. There a timer
    repeats the signal until pydantic is done.
    """
    if signal.getsignal(signal.SIGINT) is _exit:
        signal.signal(signal.SIGALRM, _interrupt)
        signal.signal(signal.SIGINT, _interrupt)


def ignore() -> None:
    """Ignore Ctrl-C from now on, so that a failed command reports its error and exit code."""
    if signal.getsignal(signal.SIGINT) in (_exit, _interrupt):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, signal.SIG_IGN)


def _interrupt(_number: int, frame: FrameType | None) -> None:
    if "pydantic" not in _packages(frame):
        raise KeyboardInterrupt
    signal.setitimer(signal.ITIMER_REAL, RETRY_S)


def _packages(frame: FrameType | None) -> Iterator[str]:
    """Yield the package of each frame on the stack, innermost first."""
    while frame is not None:
        yield frame.f_globals.get("__name__", "").partition(".")[0]
        frame = frame.f_back


def _exit(_number: int, _frame: FrameType | None) -> NoReturn:
    os.write(2, b"Error: interrupted: nothing was done\n")
    os._exit(130)
