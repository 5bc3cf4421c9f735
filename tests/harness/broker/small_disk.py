"""A ClickHouse server whose data lie on a small disk of its own, which can be filled.

The disk is a tmpfs in a mount namespace that only the server is in: it needs no image, leaves no
mount behind, and is gone with the server.
"""

import os
import shutil
import subprocess
from contextlib import closing, suppress
from pathlib import Path

from infra.local.clickhouse import ClickHouse as LocalServer
from infra.local.errors import ServerError
from streams.ledger.clickhouse import ClickHouse
from tests.harness.broker.ledger_servers import as_user, users_with_roles

DISK_BYTES = 64 * 1024 * 1024
CHUNK_BYTES = 64 * 1024
FILLINGS_MAX = 100
# Whoever is not root may mount in a user namespace of its own, where that is allowed.
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
        """Write until there is no space left; merges, which give some back, are stopped."""
        with closing(ClickHouse.server(as_user(self))) as clickhouse:
            clickhouse.command("SYSTEM STOP MERGES")
        with self._ballast.open("ab", buffering=0) as file:
            for _ in range(FILLINGS_MAX):
                with suppress(OSError):
                    while True:
                        file.write(bytes(CHUNK_BYTES))
                if self.free_bytes() == 0:  # a merge that failed gave its space back
                    return
        raise AssertionError(f"{self.free_bytes()} bytes are free")

    def empty(self) -> None:
        """Give the space back."""
        self._ballast.unlink()
        with closing(ClickHouse.server(as_user(self))) as clickhouse:
            clickhouse.command("SYSTEM START MERGES")

    def free_bytes(self) -> int:
        """Return how much fits on the disk."""
        return shutil.disk_usage(self._ballast.parent).free

    @property
    def _ballast(self) -> Path:
        """Return a file on the server's disk, as the server's own mounts have it."""
        assert self.process
        return Path(f"/proc/{self.process.pid}/root{self._data}/ballast")


def _unshare() -> list[str]:
    """Return what gives a command mounts of its own; raise ``ServerError`` if nothing may."""
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
