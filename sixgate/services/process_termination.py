"""Terminates a process of this machine after verifying that it is the probed one (Linux).

1. Hold the process by a pidfd: from here on its number cannot be reused for another process.
2. Refuse unless it owns the socket that listens at the probed address.
3. Send SIGTERM, and SIGKILL if it does not end in time. SIGKILL loses nothing: see the processes.
"""

import os
import select
import signal
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from sixgate.services.monitor import pid_socket_name
from sixgate.services.probe import Address

LISTENS = "0A"
WORD_DIGITS = 8
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid


class WrongProcessError(Exception):
    """The process is not the probed one, or it does not end."""


def terminate(pid: int, at: Address, term_s_max: float) -> str:
    """Terminate the process that listens at an address: SIGTERM, SIGKILL after ``term_s_max``.

    Returns the name of the signal that ended it. Raises ``WrongProcessError``, ``OSError``.
    """
    with _pidfd(pid) as process:  # 1.
        # 2. Only now is it certain which process the pidfd refers to.
        if not listens(pid, at):
            raise WrongProcessError(f"process {pid} does not listen at {at}: nothing was ended")
        # 3. A pidfd becomes readable when its process ends.
        for number in (signal.SIGTERM, signal.SIGKILL):
            signal.pidfd_send_signal(process, number)
            if select.select([process], [], [], term_s_max)[0]:
                return number.name
    raise WrongProcessError(
        f"process {pid} still runs {term_s_max:g} s after SIGKILL: inspect its machine"
    )


def listens(pid: int, at: Address) -> bool:
    """Return whether a process of this machine owns the socket that listens at an address.

    Only root can read the open files of an undumpable process. Its pid socket identifies it then.
    """
    wanted = {f"socket:[{inode}]" for inode in _sockets(pid, at)}
    try:
        return any(_link(file) in wanted for file in Path(f"/proc/{pid}/fd").iterdir())
    except PermissionError:
        if (holder := pid_socket_owner(at.port)) is None:
            raise
        return bool(wanted) and holder == pid


def pid_socket_owner(port: int) -> int | None:
    """Return the pid of the listener at a port's pid socket (SO_PEERCRED); None without one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        try:
            link.connect(pid_socket_name(port))
        except OSError:
            return None
        credentials = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, _, _ = _CREDENTIALS.unpack(credentials)
    return int(pid)


def _link(file: Path) -> str:
    try:
        return str(file.readlink())
    except FileNotFoundError:  # closed since the directory was listed
        return ""


@contextmanager
def _pidfd(pid: int) -> Iterator[int]:
    """Lend a pidfd of a process; it never refers to another process with the same number."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        raise WrongProcessError(f"there is no process {pid}: nothing was ended") from None
    try:
        yield process
    finally:
        os.close(process)


def _sockets(pid: int, at: Address) -> Iterator[str]:
    """Yield the inodes of sockets that listen at a loopback address in the process's namespace."""
    found = {ip_address(info[4][0]) for info in socket.getaddrinfo(at.host, at.port)}
    wanted = {address for address in found if address.is_loopback}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            address, port = local.split(":")
            if (
                state == LISTENS
                and int(port, 16) == at.port
                and _reaches(_address(address), wanted)
            ):
                yield inode


def _reaches(address: IPv4Address | IPv6Address, wanted: set[IPv4Address | IPv6Address]) -> bool:
    """Return whether a connection to a wanted address reaches a listener at ``address``."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return bool(wanted) and (address.is_unspecified or not wanted.isdisjoint({address, mapped}))


def _address(digits: str) -> IPv4Address | IPv6Address:
    """Decode an address of ``/proc/net/tcp``: four-byte words, each in little-endian order."""
    words = (digits[i : i + WORD_DIGITS] for i in range(0, len(digits), WORD_DIGITS))
    return ip_address(b"".join(bytes.fromhex(word)[::-1] for word in words))
