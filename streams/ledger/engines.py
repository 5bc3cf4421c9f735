"""Where a ledger's database is: the engine inside this process, or a server."""

import ctypes
import fcntl
import logging
import os
import re
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import clickhouse_connect
from clickhouse_connect import common
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.httputil import get_pool_manager_options

from streams.ledger.errors import (
    ANSWER_S_MAX,
    CONNECT_S_MAX,
    LedgerBusyError,
    LedgerUnavailableError,
)
from streams.ledger.framed_http import FramedPools

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

# What it would say on stderr is said by the error it raises.
logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())
# To renew connections by their age it would keep the pools of every client that ever was.
common.set_setting("max_connection_age", 0)


class Engine(Protocol):
    """Opens connections. ``in_process`` engines are held by one process at a time."""

    @property
    def in_process(self) -> bool:
        """Tell whether the engine is this process's own."""

    def connect(self, database: str) -> Client:
        """Return a new connection, on which ``database`` is the current one."""

    def missing(self) -> str:
        """Say in one sentence what to do when nothing answers."""


@dataclass(frozen=True)
class Embedded:
    """chDB on a folder, which is made if it is absent."""

    path: Path
    in_process: bool = True

    def connect(self, database: str) -> Client:
        """Return a connection; the database is made if it is absent."""
        client = clickhouse_connect.get_client(interface="chdb", path=str(self.path))
        _crash_at_once()
        client.command(f"CREATE DATABASE IF NOT EXISTS {database} ENGINE = Atomic")
        client.database = database
        client.command("SELECT 1")  # sends USE, which readonly=1 would refuse
        return client

    def missing(self) -> str:
        """Say where to look."""
        return f"look at {self.path}"


@dataclass(frozen=True)
class Tls:
    """PEM files: whose certificates are believed, and our own with its key."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def files(self) -> dict[str, Any]:
        """Return which files there are, as clickhouse-connect names them."""
        files = {"ca_cert": self.ca, "client_cert": self.certificate, "client_cert_key": self.key}
        return {name: str(file) for name, file in files.items() if file is not None}


@dataclass(frozen=True)
class Server:
    """A ClickHouse server's HTTP or HTTPS port and who asks it."""

    host: str
    port: int
    user: str = "default"
    password: str = field(default="", repr=False)
    tls: Tls | None = None
    answer_s_max: int = ANSWER_S_MAX
    in_process: bool = False

    def connect(self, database: str) -> Client:
        """Return a connection with a pool of its own; the database need not exist yet.

        A password is asked for beside a certificate. No proxy of the environment is used.
        """
        pools = get_pool_manager_options(verify=True, **(self.tls.files() if self.tls else {}))
        client = clickhouse_connect.get_client(
            host=self.host,
            port=self.port,
            username=self.user,
            password=self.password,
            connect_timeout=min(CONNECT_S_MAX, self.answer_s_max),
            send_receive_timeout=self.answer_s_max,
            autogenerate_session_id=False,  # a session would refuse what a late answer overlaps
            pool_mgr=FramedPools(**pools),
            interface="https" if self.tls else "http",
        )
        client.database = database
        return client

    def missing(self) -> str:
        """Say where to look."""
        return f"check that a ClickHouse server runs at {self.host}:{self.port}"


def refuse_held(path: Path) -> None:
    """Raise ``LedgerBusyError`` if another process holds the folder.

    The engine writes to stderr when it finds its own lock held, so it is looked at first.
    """
    status = path / "status"
    try:
        with status.open("rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return
    except BlockingIOError:
        if _holder(status) != str(os.getpid()):
            raise LedgerBusyError(
                f"The ledger in {path} is held by process {_holder(status)}: "
                "stop that one, or work through it."
            ) from None
    except OSError as error:
        raise LedgerUnavailableError(
            f"The ledger in {path} could not be opened: {error}."
        ) from error


def _crash_at_once() -> None:
    """Give the signals of a crash back to the system.

    The engine takes them when it is loaded, and its handlers keep the thread that crashed asleep
    for five minutes while all others go on in a process whose memory nobody can trust.
    """
    libc = ctypes.CDLL(None)
    libc.signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
    libc.signal.restype = ctypes.c_void_p
    for number in _CRASHES:  # Python's own signal() is the main thread's alone
        libc.signal(number.value, signal.SIG_DFL.value)


def _holder(status: Path) -> str:
    """Return the process number in the engine's lock file."""
    found = re.search(r"PID: (\d+)", status.read_text("utf-8", "replace"))
    return found.group(1) if found else "unknown"
