"""Sixgate's processes on local servers, run by the commands that an operator uses."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from pathlib import Path

from tools.local.errors import ServerError
from tools.local.ports import HOST, stable_port
from tools.local.roles import DDL, READER, WRITER, Roles, write_private
from tools.local.server import Server

ORG = "sixgate-demo"
PARTITIONS = 4
ANSWER_S_MAX = 2
COMMAND_S_MAX = 120
WATCHED = ("registrar", "gates", "signer", "custody")
SIXGATE = (sys.executable, "-m", "sixgate")


class Processes:
    """The processes of one organisation, with data, settings and logs in ``folder``."""

    def __init__(
        self,
        folder: Path,
        servers: tuple[str, int],
        roles: Roles,
        org: str = ORG,
        *,
        prefix: str = "",
        database: str = "sixgate",
    ) -> None:
        """``servers``: Kafka's address and ClickHouse's port; organisations may share them."""
        folder.mkdir(parents=True, exist_ok=True)
        self.config = folder / "sixgate.toml"
        self._folder = folder
        self._kafka, self._port = servers
        self._org = org
        self._prefix, self._database = prefix, database
        self._roles = roles
        self.monitors: dict[str, str] = {}
        watched = [self._with_health(name) for name in WATCHED]
        self.all = [*watched, self._ledger()]

    @property
    def data(self) -> Path:
        """Return the organisation's data folder."""
        return self._folder / "data"

    def initialise(self) -> None:
        """Create organisation, topics and tables if they are missing. Idempotent."""
        self._write_settings()
        where = ("--config", str(self.config))
        if not self.data.exists():
            partitions = ("--partitions", str(PARTITIONS))
            self._run("init", "--org", self._org, *partitions, "--data", str(self.data))
        topics = ("--partitions", str(PARTITIONS), "--replication-factor", "1")
        self._run("topics", "apply", "--kafka", self._kafka, "--prefix", self._prefix, *topics)
        self._run("publish", *where)
        ledger = ("--config", str(self._folder / "ledger.toml"))
        self._run("ledger", "migrate", *ledger, environment=self._roles.as_user(DDL))

    def start(self) -> None:
        """Start the processes that do not run, and wait until they are ready."""
        for process in self.all:
            process.launch()
        for process in self.all:
            process.await_answer()

    def stop(self) -> None:
        """Stop all processes."""
        for process in self.all:
            process.ask_to_stop()
        for process in self.all:
            process.stop()

    def _with_health(self, name: str) -> Server:
        folder, command = self._made(name), [*SIXGATE, name, "--config", str(self.config)]
        port = stable_port(folder / "port.json")
        self.monitors[name] = f"http://{HOST}:{port}"
        environment = {**self._roles.as_user(READER), "SIXGATE_MONITOR__PORT": str(port)}
        return Server(folder, command, partial(is_ready, port), environment)

    def _ledger(self) -> Server:
        """Return the ledger process, without health check: queries wait until it has caught up."""
        command = [*SIXGATE, "ledger", "run", "--config", str(self._folder / "ledger.toml")]
        return Server(self._made("ledger"), command, lambda: True, self._roles.as_user(WRITER))

    def _made(self, name: str) -> Path:
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        return folder

    def _write_settings(self) -> None:
        kafka = f'[kafka]\nservers = "{self._kafka}"\ninsecure_dev = true\n'
        kafka += f'prefix = "{self._prefix}"\n[kms]\ninsecure_dev = true\n'
        kafka += '[attestation]\nplatform = "simulated"\ninsecure_dev = true\n'
        both = f'{kafka}[clickhouse]\nport = {self._port}\ndatabase = "{self._database}"\n'
        write_private(self._folder / "password", self._roles.password(READER))
        port = stable_port(self._made("custody") / "listens.json")
        custody = f'[custody]\nport = {port}\n[custody_at]\nurl = "http://{HOST}:{port}"\n'
        reader = f'user = "{READER}"\npassword_file = "{self._folder}/password"\n'
        write_private(self.config, f'data = "{self.data}"\n{both}{reader}{custody}')
        ledger = f'[ledger]\norg = "{self._org}"\nkey = "{self.data}/keys/ledger-0.pem"\n'
        heads = f'heads = "{self._folder}/heads.jsonl"\n'
        write_private(self._folder / "ledger.toml", both + ledger + heads)

    def _run(self, *words: str, environment: Mapping[str, str] | None = None) -> None:
        ended = subprocess.run(  # noqa: S603 - constant commands
            [*SIXGATE, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env={**os.environ, **(environment or {})},
            check=False,
            timeout=COMMAND_S_MAX,
        )
        if ended.returncode:
            lines = ended.stderr.strip().splitlines() or ["no error message"]
            raise ServerError(f"sixgate {words[0]} failed: {lines[-1].removeprefix('Error: ')}")


def is_ready(port: int) -> bool:
    """Tell whether the process with this monitor port is ready."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/readyz", timeout=ANSWER_S_MAX) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False
