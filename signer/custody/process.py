"""Keeps what a process holds in memory away from core files, other processes and swap (Linux).

What this cannot reach: root, who may look at everything, and whatever was read before.
"""

import ctypes
import os
import resource

_PR_SET_DUMPABLE = 4  # linux/prctl.h
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4  # asm-generic/mman.h


def forbid_core_files() -> None:
    """Let a crash of this process and of those it starts write no core file."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def forbid_inspection() -> bool:
    """Make this process undumpable; tell whether it is.

    Then no other process of the same user may attach to it or read its memory, and the kernel
    gives no core dump to a handler either (prctl(2), PR_SET_DUMPABLE).
    """
    return _called("prctl", _PR_SET_DUMPABLE, 0, 0, 0, 0)


def lock_memory() -> bool:
    """Keep all memory of this process out of swap, now and later; tell whether it is.

    Only where no bound counts, which is where RLIMIT_MEMLOCK is unlimited or the process has
    CAP_IPC_LOCK: under one, the first allocation beyond it would fail, in the middle of anything.
    Pages are locked when they are touched, so that what is mapped and never used costs nothing.
    """
    soft, most = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    unbounded = most == resource.RLIM_INFINITY
    # Under a bound of 0 the kernel locks for nobody but who has the capability, whatever a
    # container says of it; and whoever has it is stopped by no bound later.
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (most if unbounded else 0, most))
    locked = _called("mlockall", _MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT)
    if not unbounded:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (soft, most))
    return locked


def _called(function: str, *arguments: int) -> bool:
    """Call a function of the C library that gives 0 when all went well."""
    if os.uname().sysname != "Linux":
        return False
    return bool(getattr(ctypes.CDLL(None), function)(*arguments) == 0)
