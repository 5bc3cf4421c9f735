"""One organisation with its own broker and ClickHouse server, and its processes' CPU time."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.kafka.accounts import ORG, Trader, make_folder, make_traders
from benchmarks.kafka.relay import make_topics
from sixgate.config.process_settings import SinkSettings, load_settings
from sixgate.data_folder.folder import Folder
from streams.kafka.broker import Broker
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.server import Server as ClickHouseServer
from tools.local.local import Local, local_in
from tools.local.ports import HOST, stable_port
from tools.local.processes import PARTITIONS, Processes, is_ready
from tools.local.roles import WRITER, Roles
from tools.local.server import Server

GATES_AND_SIGNER = ("0-5", "6-6")  # the hops that each of the pipeline's two processes makes
WAIT_S_MAX = 180
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_USER, _SYSTEM = 11, 12  # fields of /proc/PID/stat, counted after the name


@dataclass(frozen=True)
class Organisation:
    """The organisation, servers and processes that every part of the benchmark uses."""

    path: Path
    local: Local
    folder: Folder
    traders: list[Trader]

    @property
    def broker(self) -> Broker:
        return Broker(self.local.kafka.address, "sixgate-bench")

    @property
    def processes(self) -> Processes:
        assert self.local.processes
        return self.local.processes

    @property
    def registrar(self) -> Server:
        return self._process("registrar")

    @property
    def gates(self) -> Server:
        return self._process("gates")

    @property
    def signer(self) -> Server:
        return self._process("signer")

    @property
    def ledger(self) -> Server:
        return self._process("ledger")

    @property
    def roles(self) -> Roles:
        return Roles(self.path / "passwords.json")

    def clickhouse(self) -> ClickHouse:
        """Return a connection to the ledger's server as the user that may append."""
        port, password = self.local.clickhouse.port, self.roles.password(WRITER)
        return ClickHouse.server(ClickHouseServer(HOST, port, WRITER, password))

    def ledger_settings(self) -> SinkSettings:
        """Return the settings of the ledger process."""
        return load_settings(self.processes.config.with_name("ledger.toml")).ledger_section()

    def relays(self, kind: str) -> list[Server]:
        """Return a relay in as many processes as the pipeline; ``kind``: ``plain``, ``working``."""
        work = ["--work", str(self.folder.path)] if kind == "working" else []
        return [self._relay(f"{kind}-{hops}", "--hops", hops, *work) for hops in GATES_AND_SIGNER]

    def faust_relay(self) -> Server:
        """Return a relay with the gates' hops as Faust agents that only move records."""
        return self._relay("faust", "--hops", GATES_AND_SIGNER[0], "--faust")

    def watched_signer(self) -> Server:
        """Return the signer with a watch on its event loop; it reports when it is stopped."""
        folder = self._made("watched-signer")
        port = stable_port(folder / "port.json")
        config, file = str(self.processes.config), str(folder / "blocked.json")
        command = [sys.executable, "-m", "benchmarks.kafka.loop_watch", config, file]
        return Server(
            folder, command, partial(is_ready, port), {"SIXGATE_MONITOR__PORT": f"{port}"}
        )

    def _relay(self, name: str, *options: str) -> Server:
        folder = self._made(name)
        ready = folder / "ready"
        ready.unlink(missing_ok=True)
        known = ("--servers", self.local.kafka.address, "--ready", str(ready))
        command = [sys.executable, "-m", "benchmarks.kafka.relay", *known, *options]
        return Server(folder, command, ready.exists)

    def _process(self, name: str) -> Server:
        return next(one for one in self.processes.all if one.folder.name == name)

    def _made(self, name: str) -> Path:
        folder = self.folder.path.parent / name
        folder.mkdir(exist_ok=True)
        return folder

    @contextmanager
    def running(self, *servers: Server) -> Iterator[None]:
        """Run processes for the duration of the block."""
        try:
            for server in servers:
                server.launch()
            for server in servers:
                server.await_answer()
            yield
        finally:
            for server in servers:
                server.stop()


@contextmanager
def organisation(path: Path, accounts: int) -> Iterator[Organisation]:
    """Create an organisation and start its servers and its registrar."""
    local = local_in(path, org=ORG)
    assert local.processes
    traders = make_traders(accounts)
    folder = make_folder(local.processes.data, traders, PARTITIONS)
    watchdog = [sys.executable, "-m", "tools.local.watchdog", str(path)]
    # Servers must not outlive this process, even if a signal kills its process group.
    watching = subprocess.Popen(watchdog, stdin=subprocess.PIPE, start_new_session=True)
    try:
        local.kafka.start()
        local.clickhouse.start()
        local.processes.initialise()
        org = Organisation(path, local, folder, traders)
        asyncio.run(make_topics(org.broker))
        with org.running(org.registrar):  # no process works without registry heads
            yield org
    finally:
        local.stop()
        watching.communicate()


def cpu_s(server: Server) -> float:
    """Return the CPU seconds of a running process: all threads, user and system time."""
    process = server.process
    assert process, f"{server.folder.name} has ended: {server.log}"
    stat = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[_USER]) + int(stat[_SYSTEM])) / TICKS_PER_S


def wait_until(done: Callable[[], bool]) -> float:
    """Wait until ``done`` returns true; return the seconds that took."""
    start = time.perf_counter()
    while not done():
        assert time.perf_counter() - start < WAIT_S_MAX, f"waited {WAIT_S_MAX} s"
        time.sleep(0.01)
    return time.perf_counter() - start
