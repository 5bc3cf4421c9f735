"""The pid socket identifies the process at a monitor port, even if its files are unreadable."""

import asyncio
import os

from sixgate.services.monitor import Monitor, serving
from sixgate.services.probe import Address
from sixgate.services.process_termination import listens, pid_socket_owner
from tools.local.ports import free_port


def test_the_pid_socket_names_its_process_while_the_monitor_is_served() -> None:
    port = free_port()

    async def run() -> tuple[int | None, bool, bool]:
        async with serving(Monitor("test", lambda: ()), "127.0.0.1", port):
            at = Address("127.0.0.1", port)
            ask = asyncio.to_thread
            return (
                await ask(pid_socket_owner, port),
                await ask(listens, os.getpid(), at),
                await ask(listens, os.getppid(), at),
            )

    assert asyncio.run(run()) == (os.getpid(), True, False)
    assert pid_socket_owner(port) is None


def test_a_second_process_at_the_same_port_runs_without_a_pid_socket() -> None:
    port = free_port()

    async def run() -> int | None:
        async with (
            serving(Monitor("one", lambda: ()), "127.0.0.1", port),
            serving(Monitor("two", lambda: ()), "127.0.0.2", port),
        ):
            return await asyncio.to_thread(pid_socket_owner, port)

    assert asyncio.run(run()) == os.getpid()
