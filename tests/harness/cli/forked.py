"""Fast ``sixgate`` processes: a server imports the packages once and forks a child per command.

A child has its own PID, signals and exit code, and saves two seconds of imports. Each test process
has one server; when the test process ends, the server kills its children. Tests of the start itself
(imports, Ctrl-C, closed streams) use ``python -m sixgate``.
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock
from typing import IO, NamedTuple, NoReturn

import sixgate.cli
from tests.harness.cli.command_line import SECONDS_MAX, CommandLine, Ended
from tests.harness.pipeline.wrong_clock import set_clock
from tools.local.process import await_frozen

ROOT = Path(__file__).parents[3]
CODE, PID = struct.Struct("=i"), struct.Struct("=i")
ORDER_BYTES_MAX = (
    1 << 17
)  # the limit of Linux for such a socket, far above the size of an environment
DESCRIPTORS_MAX = 1 << 20
ENDLESS_MS = -1
PACKAGES = ("sixgate.cli", "sixgate.services")
MODULES = (
    "sixgate.services.custody",
    "sixgate.services.release",
    "sixgate.services.embedded.node",
    "sixgate.api.operator.serving",
    "sixgate.kms.aws_client",
    "sixgate.kms.azure_client",
    "sixgate.kms.gcp_client",
    "signer.custody.kms.aws",
    "signer.custody.kms.azure",
    "signer.custody.kms.gcp",
)


class Forked(subprocess.Popen[bytes]):
    """A child of the server that a test can wait for and signal like its own child."""

    def __init__(self, words: tuple[str, ...], pid: int, pidfd: int, end: socket.socket) -> None:
        """Wrap a running process, without the start of ``Popen``."""
        self.args, self.pid, self.returncode = words, pid, None
        self.stdin = self.stdout = self.stderr = None
        self._pidfd, self._end = pidfd, end.detach()  # numbers: a lost socket object would warn

    def poll(self) -> int | None:
        return self._code(0)

    def wait(self, timeout: float | None = None) -> int:
        code = self._code(ENDLESS_MS if timeout is None else int(timeout * 1_000))
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def send_signal(self, sig: int) -> None:
        try:
            signal.pidfd_send_signal(self._pidfd, sig)
            if sig == signal.SIGSTOP:
                await_frozen(self.pid)
        except ProcessLookupError:
            self.wait()

    def _code(self, within_ms: int) -> int | None:
        """Read the exit code without removing it, as other threads may wait for it, too."""
        waiting = select.poll()
        waiting.register(self._end, select.POLLIN)
        if self.returncode is None and waiting.poll(within_ms):
            with socket.socket(fileno=os.dup(self._end)) as end:
                data = end.recv(CODE.size, socket.MSG_PEEK)
            assert data, "the server of processes ended"
            (self.returncode,) = CODE.unpack(data)
        return self.returncode

    def __del__(self) -> None:
        os.close(self._end)
        os.close(self._pidfd)


class Order(NamedTuple):
    """What a child must run, and with which files and environment."""

    words: tuple[str, ...]
    env: dict[str, str]
    folder: str
    clock: str | None


class Server:
    """The tests' side: the process that forks, and the link to it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-m", __name__, str(theirs.fileno())]
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], cwd=ROOT
            )

    def close(self) -> None:
        """End the server and every process it forked."""
        self._link.close()
        self._process.wait()

    def fork(self, order: Order, files: tuple[int, int, int]) -> Forked:
        ours, theirs = socket.socketpair()
        with self._lock, theirs:
            raw = json.dumps(order).encode()
            socket.send_fds(self._link, [raw], [*files, theirs.fileno()])
            data, received, _, _ = socket.recv_fds(self._link, PID.size, 1)
        assert data, "the server of processes ended"
        (pid,), (pidfd,) = PID.unpack(data), received
        return Forked(order.words, pid, pidfd, ours)


@cache
def server() -> Server:
    """Return the server of this process; it ends with this process."""
    made = Server()
    atexit.register(made.close)
    return made


def fork(
    *words: str,
    out: IO[bytes],
    err: IO[bytes] | None = None,
    stdin: IO[bytes] | None = None,
    env: Mapping[str, str] | None = None,
    clock: Path | None = None,
) -> Forked:
    """Start ``sixgate`` with these arguments; ``clock`` is a file as in ``wrong_clock``."""
    order = Order(words, dict(env or os.environ), str(Path.cwd()), str(clock) if clock else None)
    with Path(os.devnull).open("rb") as nothing:
        files = (stdin or nothing, out, err or out)
        return server().fork(order, (files[0].fileno(), files[1].fileno(), files[2].fileno()))


class ForkedCommandLine(CommandLine):
    """Runs each command in a forked process."""

    def _run(self, words: Sequence[str], stdin: str, environment: dict[str, str]) -> Ended:
        with TemporaryFile() as said, TemporaryFile() as out, TemporaryFile() as err:
            said.write(stdin.encode())
            said.seek(0)
            child = fork(*words, stdin=said, out=out, err=err, env=environment)
            try:
                code = child.wait(SECONDS_MAX)
            finally:
                child.kill()
            return Ended(code, _written(out), _written(err))


def _written(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def serve(link: socket.socket) -> Order:
    """Fork for each order and report each exit code; return the order in the child."""
    ends: dict[int, tuple[int, int]] = {}
    waiting = select.poll()
    waiting.register(link, select.POLLIN)
    while True:
        for found, _ in waiting.poll():
            if found in ends:
                waiting.unregister(found)
                _tell_end(found, *ends.pop(found))
                continue
            raw, files, _, _ = socket.recv_fds(link, ORDER_BYTES_MAX, 4)
            if not raw:
                _end(ends)
            if not (pid := os.fork()):
                link.detach()
                _take(files)
                return Order(*json.loads(raw))
            pidfd = os.pidfd_open(pid)
            socket.send_fds(link, [PID.pack(pid)], [pidfd])
            *closed, end = files
            for file in closed:
                os.close(file)
            ends[pidfd] = pid, end
            waiting.register(pidfd, select.POLLIN)


def _tell_end(pidfd: int, pid: int, end: int) -> None:
    _, status = os.waitpid(pid, 0)
    with suppress(BrokenPipeError):  # the test may have closed it
        os.write(end, CODE.pack(os.waitstatus_to_exitcode(status)))
    os.close(end)
    os.close(pidfd)


def _end(ends: Mapping[int, tuple[int, int]]) -> NoReturn:
    """Kill every child and exit: the tests have ended."""
    for pidfd in ends:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    os._exit(0)


def _take(files: list[int]) -> None:
    """Make three files the standard streams, and close every other descriptor."""
    for number, file in enumerate(files[:3]):
        os.dup2(file, number)
    os.closerange(3, DESCRIPTORS_MAX)


def import_all() -> None:
    """Import everything that commands import, except the ledger's engine, which starts threads."""
    for package in PACKAGES:
        found = importlib.import_module(package)
        for module in pkgutil.walk_packages(found.__path__, f"{package}."):
            importlib.import_module(module.name)
    for name in MODULES:
        importlib.import_module(name)
    assert "chdb" not in sys.modules


def main() -> None:
    """Import the packages, serve forks, and run ``sixgate`` in each child."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import_all()
    gc.collect()
    gc.freeze()
    order = serve(socket.socket(fileno=int(sys.argv[1])))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(order.env)
    os.chdir(order.folder)
    sys.argv = ["sixgate", *order.words]
    if order.clock:
        set_clock(Path(order.clock))
    sixgate.cli.main()


if __name__ == "__main__":
    main()
