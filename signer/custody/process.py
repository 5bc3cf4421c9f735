"""Protects a process's memory from core files, other processes and swap (Linux).

Limits: root can read everything, and nothing protects memory that was read before.
"""

import ctypes
import os
import resource

_PR_SET_DUMPABLE = 4  # linux/prctl.h
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4  # asm-generic/mman.h


def forbid_core_files() -> None:
    """Disable core files for this process and its children."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def forbid_inspection() -> bool:
    """Make this process undumpable; return whether that succeeded.

    Then no other process of the same user may attach to it or read its memory, and the kernel
    passes no core dump to a handler (prctl(2), PR_SET_DUMPABLE).
    """
    return _call_libc("prctl", _PR_SET_DUMPABLE, 0, 0, 0, 0)


def lock_memory() -> bool:
    """Lock all memory of this process, current and future; return whether that succeeded.

    Memory is locked only if no limit applies: RLIMIT_MEMLOCK is unlimited, or the process has
    CAP_IPC_LOCK. Under a limit, the first allocation beyond it would fail, at any point. Pages are
    locked when they are touched, so mapped but unused memory costs nothing.
    """
    soft, most = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    unbounded = most == resource.RLIM_INFINITY
    # Under a limit of 0 the kernel locks memory only for a process with the capability, whatever
    # the container claims; and such a process is exempt from the limit later, too.
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (most if unbounded else 0, most))
    locked = _call_libc("mlockall", _MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT)
    if not unbounded:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (soft, most))
    return locked


def _call_libc(function: str, *arguments: int) -> bool:
    """Call a function of the C library that returns 0 on success."""
    if os.uname().sysname != "Linux":
        return False
    return bool(getattr(ctypes.CDLL(None), function)(*arguments) == 0)
