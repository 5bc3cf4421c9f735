"""Ends a process of this machine, if it is really the one that was looked at (Linux)."""

import os
import select
import signal
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from sixgate.scaled.monitor import pid_socket_name
from sixgate.scaled.probe import Address

LISTENS = "0A"
WORD_DIGITS = 8
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid


class WrongProcessError(Exception):
    """The process is not the one that was looked at, or does not end."""


def terminate(pid: int, at: Address, term_s_max: float) -> str:
    """End the process that listens there: SIGTERM, and SIGKILL after ``term_s_max``.

    Returns the name of the signal that did it. Raises ``WrongProcessError``, ``OSError``.
    """
    with _held(pid) as process:
        if not listens(pid, at):
            raise WrongProcessError(f"process {pid} does not listen at {at}: nothing was ended")
        for number in (signal.SIGTERM, signal.SIGKILL):
            signal.pidfd_send_signal(process, number)
            if select.select([process], [], [], term_s_max)[0]:
                return number.name
    raise WrongProcessError(
        f"process {pid} outlived SIGKILL for {term_s_max:g} s: look at its machine"
    )


def listens(pid: int, at: Address) -> bool:
    """Tell whether a process of this machine holds the socket that listens at an address.

    The files of an undumpable process are root's alone to see; then the kernel's word on who
    listens at its token counts.
    """
    wanted = {f"socket:[{inode}]" for inode in _sockets(pid, at)}
    try:
        return any(_link(file) in wanted for file in Path(f"/proc/{pid}/fd").iterdir())
    except PermissionError:
        if (holder := pid_socket_owner(at.port)) is None:
            raise
        return bool(wanted) and holder == pid


def pid_socket_owner(port: int) -> int | None:
    """Return the process that listens at a port's token, by the kernel's word; None if none."""
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
    except FileNotFoundError:  # closed meanwhile
        return ""


@contextmanager
def _held(pid: int) -> Iterator[int]:
    """Hold a process, so that its number cannot come to mean another one."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        raise WrongProcessError(f"there is no process {pid}: nothing was ended") from None
    try:
        yield process
    finally:
        os.close(process)


def _sockets(pid: int, at: Address) -> Iterator[str]:
    """Yield the inodes of the sockets that listen at a loopback address, as the process sees it."""
    found = {ip_address(info[4][0]) for info in socket.getaddrinfo(at.host, at.port)}
    wanted = {address for address in found if address.is_loopback}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            address, port = local.split(":")
            if state == LISTENS and int(port, 16) == at.port and _within(_address(address), wanted):
                yield inode


def _within(address: IPv4Address | IPv6Address, wanted: set[IPv4Address | IPv6Address]) -> bool:
    """Tell whether who listens at ``address`` is reached at one that is wanted."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return bool(wanted) and (address.is_unspecified or not wanted.isdisjoint({address, mapped}))


def _address(digits: str) -> IPv4Address | IPv6Address:
    """Read an address as the kernel writes it: words of four bytes, each the last byte first."""
    words = (digits[i : i + WORD_DIGITS] for i in range(0, len(digits), WORD_DIGITS))
    return ip_address(b"".join(bytes.fromhex(word)[::-1] for word in words))
