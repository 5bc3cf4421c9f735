"""Unbounded pool of daemon threads; idle ones are reused.

Starting a thread blocks until it runs, behind every thread that waits for the interpreter: for a
read that asks three providers, longer than one provider's answer takes. A pool of fixed size would
queue calls behind calls that hang. So work runs in an idle thread, or in a new one if there is no
idle thread; callers bound the number of calls.
"""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeAlias

IDLE_MAX = 32
NAME = "custody-call"

Work: TypeAlias = Callable[[], None]

_idle: list[SimpleQueue[Work]] = []  # one list per process: providers share the idle threads


def run_in_thread(work: Work) -> None:
    """Run work that never raises in another thread; ``RuntimeError`` if no thread can be started.

    The thread is a daemon: work that hangs must not keep the process from exiting.
    """
    try:
        inbox = _idle.pop()
    except IndexError:
        inbox = SimpleQueue()
        threading.Thread(target=_serve, args=(inbox,), name=NAME, daemon=True).start()
    inbox.put(work)


def _serve(inbox: SimpleQueue[Work]) -> None:
    inbox.get()()
    while len(_idle) < IDLE_MAX:
        _idle.append(inbox)
        inbox.get()()  # not bound to a name: an idle thread keeps no reference to its last work
