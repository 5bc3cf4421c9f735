"""Opens the listening sockets of the HTTP server, and makes room for its connections."""

import errno
import resource
import socket
import ssl
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sixgate.config.section import loopback
from sixgate.data_folder.folder import FolderBusyError
from sixgate.data_folder.signer_files import FolderError
from sixgate.errors import SettingsError
from sixgate.remote_calls.unix_link import short_path

BACKLOG = 4_096
# Files of the rest of the process: databases, logs, connections to other servers.
RESERVED_FILE_COUNT = 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class Tcp:
    """A TCP address; port 0 is any free port. Beyond loopback it needs TLS or ``insecure_dev``."""

    host: str = "127.0.0.1"
    port: int = 0
    tls: ssl.SSLContext | None = None
    insecure_dev: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """Where to listen: a Unix socket, TCP addresses, or both.

    ``section`` is the section of the settings, for error messages.
    """

    socket: Path | None = None
    tcp: tuple[Tcp, ...] = ()
    section: str = "api"


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens: the path of its Unix socket, and a URL for each TCP address."""

    socket: Path | None
    urls: tuple[str, ...]

    @property
    def url(self) -> str:
        """The first URL."""
        return self.urls[0]


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that listens, with the TLS context of its connections."""

    link: socket.socket
    tls: ssl.SSLContext | None

    @property
    def url(self) -> str:
        """The URL of a TCP address."""
        host, port = self.link.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        return f"{'https' if self.tls else 'http'}://{shown}:{port}"


@contextmanager
def listening(listen: Listen) -> Iterator[tuple[list[Listener], Address]]:
    """Listen until the block ends.

    Raises ``SettingsError`` for a TCP address and ``FolderError`` for a Unix socket that cannot be
    used, ``FolderBusyError`` if another process listens there.
    """
    with ExitStack() as stack:
        tcp = []
        for address in listen.tcp:
            link = stack.enter_context(_tcp_listener(address, listen.section))
            tcp.append(Listener(link, address.tls))
        unix = []
        if listen.socket:
            unix.append(Listener(stack.enter_context(_unix_listener(listen.socket)), None))
        yield [*tcp, *unix], Address(listen.socket, tuple(listener.url for listener in tcp))


def raise_file_limit(connection_count: int) -> int:
    """Raise the soft limit of open files; return how many connections it leaves room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connection_count + RESERVED_FILE_COUNT
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(1, min(connection_count, max(wanted - RESERVED_FILE_COUNT, wanted // 2)))


def _tcp_listener(address: Tcp, section: str) -> socket.socket:
    if not (address.tls or address.insecure_dev or loopback(address.host)):
        raise SettingsError(
            f"[{section}] serves {address.host}, which other machines can reach, without TLS: add "
            "tls, or listen at 127.0.0.1"
        )
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, *_, where = found[0]
        return socket.create_server((where[0], where[1]), family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(
                f"another process listens at {address.host}:{address.port} ([{section}]): stop it, "
                "or choose another address"
            ) from None
        raise SettingsError(
            f"cannot listen at {address.host}:{address.port} ({error.strerror}): correct host and "
            f"port in [{section}]"
        ) from None


@contextmanager
def _unix_listener(path: Path) -> Iterator[socket.socket]:
    """Listen at a path with mode 0600; remove the socket at the end, but not a later one."""
    try:
        link, made = _bound(path)
    except FolderError:
        raise
    except OSError as error:
        raise FolderError(f"cannot listen at {path}: {error.strerror}") from None
    try:
        with link:
            yield link
    finally:
        with suppress(FileNotFoundError):
            if _identity(path) == made:
                path.unlink()


def _bound(path: Path) -> tuple[socket.socket, tuple[int, int]]:
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with short_path(path) as address:
            _remove_stale(path, address)
            link.bind(address)
            # Not by umask, which would apply to files that other threads create. Before listen(),
            # so that nobody can connect earlier.
            Path(address).chmod(0o600)
            made = _identity(path)
            link.listen(BACKLOG)
    except BaseException:
        link.close()
        raise
    return link, made


def _remove_stale(path: Path, address: str) -> None:
    """Remove the socket of a process that ended; raise if it still listens, or is no socket."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FolderError(f"{path} exists and is not a socket: remove it")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # noqa: FBT003 - the signature of socket
        try:
            probe.connect(address)
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:  # it listens, and its backlog is full
            pass
    raise FolderBusyError(f"another process listens at {path}: stop it first")


def _identity(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_dev, status.st_ino
