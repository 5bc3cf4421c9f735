"""Threads that are kept for the next call, and never keep one waiting.

Starting a thread waits until it runs, behind every other that wants the interpreter: for a read
that asks three providers, longer than the answer of one takes. A pool of a fixed size would queue
calls behind those that hang. So a call runs in a thread that has nothing to do, or else in a new
one; how many there may be is for whoever asks to bound.
"""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeAlias

KEPT_MAX = 32
NAME = "custody-call"

Work: TypeAlias = Callable[[], None]

_idle: list[SimpleQueue[Work]] = []  # of the process: what one provider leaves, another takes


def run_in_thread(work: Work) -> None:
    """Run work that raises nothing in another thread; ``RuntimeError`` if the system has none left.

    The thread is a daemon: work that never ends must not keep the process from its end.
    """
    try:
        inbox = _idle.pop()
    except IndexError:
        inbox = SimpleQueue()
        threading.Thread(target=_serve, args=(inbox,), name=NAME, daemon=True).start()
    inbox.put(work)


def _serve(inbox: SimpleQueue[Work]) -> None:
    inbox.get()()
    while len(_idle) < KEPT_MAX:
        _idle.append(inbox)
        inbox.get()()  # bound to no name: a thread that waits holds nothing of its last call
