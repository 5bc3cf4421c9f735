"""Ctrl-C before there is anything that could answer it in order."""

import os
import signal
from types import FrameType
from typing import NoReturn


def leave_at_once() -> None:
    """Let Ctrl-C end the process with its code, unless whoever started it decided otherwise.

    An import that is interrupted leaves modules half made, and the next error is about those.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def raise_again() -> None:
    """Let Ctrl-C raise ``KeyboardInterrupt`` again."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    os.write(2, b"Error: interrupted: nothing was done\n")
    os._exit(130)
