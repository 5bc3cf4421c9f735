"""chDB, the ClickHouse engine inside this process, as the ledger's engine.

A folder belongs to one process, and a process holds one folder at a time; closing all connections
releases it.
"""

import ctypes
import fcntl
import os
import re
import signal
from dataclasses import dataclass
from pathlib import Path

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from streams.ledger.clickhouse import ClickHouse, translated
from streams.ledger.errors import LedgerBusyError, LedgerUnavailableError

IN_MEMORY = Path(":memory:")
_CRASHES = (
    signal.SIGABRT,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGILL,
    signal.SIGSEGV,
    signal.SIGSYS,
    signal.SIGTRAP,
)


def open_folder(path: Path, database: str = "sixgate") -> ClickHouse:
    """Open the engine on a folder, which is created if it is absent.

    Raises ``LedgerBusyError`` if another process holds the folder, ``LedgerUnavailableError``
    if it cannot be opened or this process holds another folder.
    """
    _refuse_held(path)
    engine = Embedded(path)
    with translated(f"The ledger in {path} could not be opened", engine):
        return ClickHouse(engine, database, {})


def open_in_memory() -> ClickHouse:
    """Open an engine in memory; this process must not hold a folder."""
    engine = Embedded(IN_MEMORY)
    with translated("The embedded ClickHouse engine could not be started", engine):
        return ClickHouse(engine, "sixgate", {})


@dataclass(frozen=True)
class Embedded:
    """chDB on a folder, which is created if it is absent."""

    path: Path
    in_process: bool = True

    def connect(self, database: str) -> Client:
        """Return a connection; create the database if it is absent."""
        client = clickhouse_connect.get_client(interface="chdb", path=str(self.path))
        _restore_crash_signals()
        client.command(f"CREATE DATABASE IF NOT EXISTS {database} ENGINE = Atomic")
        client.database = database
        client.command("SELECT 1")  # sends USE, which readonly=1 would refuse
        return client

    def unreachable_advice(self) -> str:
        """Return what to check: the folder."""
        return f"check the folder {self.path}"


def _refuse_held(path: Path) -> None:
    """Raise ``LedgerBusyError`` if another process holds the folder.

    Checked before the engine starts, because the engine writes to stderr if its lock is held.
    """
    status = path / "status"
    try:
        with status.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return
    except BlockingIOError:
        if _holder(status) != str(os.getpid()):
            raise LedgerBusyError(
                f"The ledger in {path} is in use by process {_holder(status)}: "
                "stop that process, or use the ledger through it."
            ) from None
    except OSError as error:
        raise LedgerUnavailableError(
            f"The ledger in {path} could not be opened: {error}."
        ) from error


def _restore_crash_signals() -> None:
    """Restore the default action of crash signals: end the process immediately.

    The engine installs handlers when it is loaded. They keep the crashed thread asleep for five
    minutes, while all other threads continue in a process with possibly corrupt memory.
    """
    libc = ctypes.CDLL(None)
    libc.signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
    libc.signal.restype = ctypes.c_void_p
    for number in _CRASHES:  # Python's signal() works in the main thread only
        libc.signal(number.value, signal.SIG_DFL.value)


def _holder(status: Path) -> str:
    """Return the process id in the engine's lock file."""
    found = re.search(r"PID: (\d+)", status.read_text("utf-8", "replace"))
    return found.group(1) if found else "unknown"
