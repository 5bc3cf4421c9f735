"""A ClickHouse server on loopback: real HTTP handlers, real tables, users and grants from files."""

import sys
import urllib.request
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from pathlib import Path

from tools.local.clickhouse_process import LISTEN
from tools.local.fetch import clickhouse_library
from tools.local.ports import HOST, stable_port
from tools.local.server import Server

ANSWER_S_MAX = 2


class ClickHouse(Server):
    """A server whose port and data are kept in its folder.

    ``users`` is a ``users.xml``. Without it the only user is ``default`` with an empty password,
    for development: anyone who reaches the loopback port has all rights. ``environment`` holds the
    variables that the file refers to.
    """

    def __init__(
        self,
        folder: Path,
        *,
        users: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = stable_port(folder / "port.json")
        config = ["--config-file", str(_config(folder, users))] if users else []
        command = [
            *(sys.executable, "-m", "tools.local.clickhouse_process", str(clickhouse_library())),
            *("--path", str(folder / "data"), "--listen_host", HOST, *config),
            *("--multiquery", "--query", LISTEN, "--", f"--http_port={self.port}"),
        ]
        super().__init__(folder, command, partial(pings, self.port), environment)

    @property
    def address(self) -> str:
        """Return the server's URL."""
        return f"http://{HOST}:{self.port}"


def _config(folder: Path, users: Path) -> Path:
    where = users.resolve()
    file = folder / "config.xml"
    file.write_text(
        f"<clickhouse><users_config>{where}</users_config><user_directories><users_xml>"
        f"<path>{where}</path></users_xml></user_directories></clickhouse>\n"
    )
    return file


def pings(port: int) -> bool:
    """Tell whether a server answers on a port."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/ping", timeout=ANSWER_S_MAX) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False
