"""A ClickHouse server on a small disk that tests can fill.

The disk is a tmpfs in a mount namespace of the server: it needs no image, leaves no mount behind,
and disappears with the server.
"""

import os
import shutil
import subprocess
from contextlib import closing, suppress
from pathlib import Path

from streams.ledger.clickhouse import ClickHouse
from tests.harness.broker.ledger_servers import as_user, users_with_roles
from tools.local.clickhouse import ClickHouse as LocalServer
from tools.local.errors import ServerError

DISK_BYTES = 64 * 1024 * 1024
CHUNK_BYTES = 64 * 1024
FILLINGS_MAX = 100
# A user other than root needs a user namespace to mount, where the kernel allows one.
WAYS = (("--mount",), ("--mount", "--map-root-user"))
MOUNT = 'mount -t tmpfs -o size="$0" tmpfs "$1" && shift && exec "$@"'


class SmallDiskServer(LocalServer):
    """A server with the ledger's roles; ``fill`` leaves no byte on its disk, ``empty`` frees it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, users=users_with_roles(folder))
        self._data = folder / "data"
        self._data.mkdir(exist_ok=True)
        inside = ["sh", "-c", MOUNT, str(DISK_BYTES), str(self._data)]
        self._command = [*_unshare(), *inside, *self._command]

    def fill(self) -> None:
        """Write until no space is left. Merges are stopped, as they would free some."""
        with closing(ClickHouse.server(as_user(self))) as clickhouse:
            clickhouse.command("SYSTEM STOP MERGES")
        with self._ballast.open("ab", buffering=0) as file:
            for _ in range(FILLINGS_MAX):
                with suppress(OSError):
                    while True:
                        file.write(bytes(CHUNK_BYTES))
                if self.free_bytes() == 0:  # a failed merge frees its space
                    return
        raise AssertionError(f"{self.free_bytes()} bytes are free")

    def empty(self) -> None:
        """Free the space."""
        self._ballast.unlink()
        with closing(ClickHouse.server(as_user(self))) as clickhouse:
            clickhouse.command("SYSTEM START MERGES")

    def free_bytes(self) -> int:
        """Return the free space of the disk."""
        return shutil.disk_usage(self._ballast.parent).free

    @property
    def _ballast(self) -> Path:
        """Return the path of the filler file, as seen through the server's mounts."""
        assert self.process
        return Path(f"/proc/{self.process.pid}/root{self._data}/ballast")


def _unshare() -> list[str]:
    """Return a command prefix that gives own mounts; raise ``ServerError`` if none works."""
    program = shutil.which("unshare")
    for way in WAYS if program else ():
        command = [str(program), *way]
        may = subprocess.run(
            [*command, "sh", "-c", 'mount -t tmpfs tmpfs "$0"', os.devnull.rpartition("/")[0]],
            capture_output=True,
            check=False,
        )
        if may.returncode == 0:
            return command
    raise ServerError("no small disk can be mounted here: run as root, or allow user namespaces.")
