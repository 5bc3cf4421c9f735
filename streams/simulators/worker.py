"""Worker process: reads calls from a socket, simulates them, and writes the answers.

    python -m streams.simulators.worker SOCKET_FD GENESES_FD MEMORY_BYTES_MAX

Untrusted byte code runs only here, where there is nothing to steal: almost no environment, no files
but the geneses, limited memory. The worker ends when the pool's end of the socket closes. A kernel
alarm also ends it during a call, in case the pool died and cannot kill it.
"""

import os
import resource
import signal
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence

from pydantic import TypeAdapter

from streams.simulators.frames import FrameBuffer, frame
from streams.simulators.genesis import Genesis
from streams.simulators.revm import Revm
from streams.simulators.simulation import Done, Task

READY = b"ready"
_ALARM_AFTER_BOUND_S = 1.0
_GAS_PER_WORKER = 1 << 29
"""At most some 250,000 cached addresses (see Revm), then the worker asks to be replaced."""
_CHUNK_BYTES = 1 << 16
_GENESES = TypeAdapter(tuple[Genesis, ...])


def main(arguments: Sequence[str]) -> None:
    """Serve until the socket ends; anything unexpected ends the process."""
    socket_fd, geneses_fd, memory_bytes_max = map(int, arguments)
    _set_limits(memory_bytes_max)
    simulators = {genesis.chain_id: Revm(genesis) for genesis in _read_geneses(geneses_fd)}
    with socket.socket(fileno=socket_fd) as connection:
        try:
            connection.sendall(frame(READY))
            _serve(connection, simulators)
        except (BrokenPipeError, ConnectionResetError):
            return  # the pool ended


def _serve(connection: socket.socket, simulators: Mapping[int, Revm]) -> None:
    for message in _messages(connection):
        task = Task.model_validate_json(message)
        signal.setitimer(signal.ITIMER_REAL, task.timeout_ms / 1000 + _ALARM_AFTER_BOUND_S)
        simulation = simulators[task.call.chain_id].simulate(task.call)
        signal.setitimer(signal.ITIMER_REAL, 0)
        worn = sum(simulator.gas_run for simulator in simulators.values()) > _GAS_PER_WORKER
        done = Done(simulation=simulation, worn=worn)
        connection.sendall(frame(done.model_dump_json().encode()))


def _messages(connection: socket.socket) -> Iterator[bytes]:
    buffer = FrameBuffer()
    while chunk := connection.recv(_CHUNK_BYTES):
        if (message := buffer.feed(chunk)) is not None:
            yield message


def _set_limits(memory_bytes_max: int) -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the pool's process may ignore it
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes_max, memory_bytes_max))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _read_geneses(fd: int) -> tuple[Genesis, ...]:
    """Read the pool's file at fixed positions: its offset is shared with other workers."""
    size = os.fstat(fd).st_size
    content = b"".join(
        os.pread(fd, _CHUNK_BYTES, position) for position in range(0, size, _CHUNK_BYTES)
    )
    os.close(fd)
    return _GENESES.validate_json(content)


if __name__ == "__main__":
    main(sys.argv[1:])
