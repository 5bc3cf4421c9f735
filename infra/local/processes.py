"""Sixgate's own processes on local servers, run by the command lines an operator would use."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from pathlib import Path

from infra.local.errors import ServerError
from infra.local.ports import HOST, kept_port
from infra.local.roles import DDL, READER, WRITER, Roles, write_private
from infra.local.server import Server

ORG = "sixgate-demo"
PARTITIONS = 4
ANSWER_S_MAX = 2
COMMAND_S_MAX = 120
WATCHED = ("registrar", "gates", "signer", "custody")
SIXGATE = (sys.executable, "-m", "sixgate")


class Processes:
    """All processes of one organisation; its data, settings and logs are in ``folder``."""

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
        """``servers`` are Kafka's address and ClickHouse's port, which organisations may share."""
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

    def found(self) -> None:
        """Make organisation, topics and tables as far as they are missing."""
        self._write_settings()
        where = ("--config", str(self.config))
        if not self.data.exists():
            partitions = ("--partitions", str(PARTITIONS))
            self._run("init", "--org", self._org, *partitions, "--data", str(self.data))
        topics = ("--partitions", str(PARTITIONS), "--replication-factor", "1")
        self._run("topics", "apply", "--kafka", self._kafka, "--prefix", self._prefix, *topics)
        self._run("publish", *where)
        ledger = ("--config", str(self._folder / "ledger.toml"))
        self._run("ledger", "migrate", *ledger, more=self._roles.as_user(DDL))

    def start(self) -> None:
        """Start what does not run and wait until it is at work."""
        for process in self.all:
            process.launch()
        for process in self.all:
            process.await_answer()

    def stop(self) -> None:
        """Stop all."""
        for process in self.all:
            process.ask_to_stop()
        for process in self.all:
            process.stop()

    def _with_health(self, name: str) -> Server:
        folder, command = self._made(name), [*SIXGATE, name, "--config", str(self.config)]
        port = kept_port(folder / "port.json")
        self.monitors[name] = f"http://{HOST}:{port}"
        more = {**self._roles.as_user(READER), "SIXGATE_MONITOR__PORT": str(port)}
        return Server(folder, command, partial(is_ready, port), more)

    def _ledger(self) -> Server:
        """Run the ledger, which has no health page: the first question waits until it is level."""
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
        port = kept_port(self._made("custody") / "listens.json")
        custody = f'[custody]\nport = {port}\n[custody_at]\nurl = "http://{HOST}:{port}"\n'
        reader = f'user = "{READER}"\npassword_file = "{self._folder}/password"\n'
        write_private(self.config, f'data = "{self.data}"\n{both}{reader}{custody}')
        own = f'[ledger]\norg = "{self._org}"\nkey = "{self.data}/keys/ledger-0.pem"\n'
        heads = f'heads = "{self._folder}/heads.jsonl"\n'
        write_private(self._folder / "ledger.toml", both + own + heads)

    def _run(self, *words: str, more: Mapping[str, str] | None = None) -> None:
        ended = subprocess.run(  # noqa: S603 - our own arguments
            [*SIXGATE, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env={**os.environ, **(more or {})},
            check=False,
            timeout=COMMAND_S_MAX,
        )
        if ended.returncode:
            told = ended.stderr.strip().splitlines() or ["it said nothing"]
            raise ServerError(f"sixgate {words[0]} failed: {told[-1].removeprefix('Error: ')}")


def is_ready(port: int) -> bool:
    """Tell whether the process that shows itself on a loopback port is at work."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/readyz", timeout=ANSWER_S_MAX) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False
