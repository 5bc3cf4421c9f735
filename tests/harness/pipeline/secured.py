"""An organisation as in production: certificates on every link, declared ACLs, database roles.

Its processes and commands are real, each with its own certificate and files; tests remove something
and check how they end.
"""

import asyncio
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from schemas.topics import Principal
from signer.custody.event_signing import Ed25519Signer
from sixgate.data_folder.folder import LEDGER, Folder
from streams.kafka.broker import Broker, Tls
from streams.kafka.provision import AccessPlan, TopicPlan
from streams.kafka.topics import Replication
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.migrations import migrate
from tests.harness.broker.ledger_servers import as_user, password, server_with_roles
from tests.harness.broker.servers import SecureKafka, running, secure_kafka_in
from tests.harness.builders.waiting import until
from tests.harness.cli.command_line import Ended
from tests.harness.cli.forked import ForkedCommandLine, fork
from tests.harness.pipeline.embedded import make_folder
from tests.harness.pipeline.scaled import EVERY, USERS, ready
from tools.local.clickhouse import ClickHouse as LocalServer
from tools.local.ports import free_port

READY_S_MAX = 60
PASSWORD = "SIXGATE_CLICKHOUSE__PASSWORD"  # noqa: S105 - the name of a variable
OWN: dict[str, Principal] = {
    "registrar": Principal.REGISTRAR,
    "gates": Principal.GATES,
    "signer": Principal.SIGNER,
    "ledger": Principal.LEDGER,
    "custody": Principal.CUSTODY,
}
WITH_PEOPLE: dict[str, Principal] = {"desk": Principal.DESK, "gateway": Principal.GATEWAY}
"""Processes that start after a person was added."""


@dataclass
class Secured:
    """One organisation on one broker and one ClickHouse server."""

    folder: Folder
    kafka: SecureKafka
    server: LocalServer
    running: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    api_port: int = field(default_factory=free_port)
    desk_port: int = field(default_factory=free_port)

    @property
    def admin(self) -> Broker:
        """Return a broker connection that may change topics and ACLs."""
        tls = Tls(self.kafka.authority.file, self.kafka.admin, self.kafka.admin)
        return Broker(self.kafka.kafka.address, "admin", tls)

    def provision(self) -> None:
        """Create the declared topics and ACLs."""
        plan = TopicPlan(self.folder.trust().partitions, Replication(1, 1))
        asyncio.run(plan.apply(self.admin))
        asyncio.run(AccessPlan().apply(self.admin))

    def settings(
        self,
        principal: str,
        *,
        identity: Path | None = None,
        servers: str | None = None,
        ca: Path | None = None,
        clickhouse: int | None = None,
        monitor: int = 0,
    ) -> Path:
        """Write the settings of ``principal``, with its certificate."""
        own = identity or self.kafka.authority.issue(principal)
        user = USERS.get(principal, "ledger_reader")
        file = self.folder.path / f"{principal}.toml"
        file.write_text(
            f'data = "{self.folder.path}"\n'
            f'[kafka]\nservers = "{servers or self.kafka.kafka.address}"\ncopies = 1\nin_sync = 1\n'
            f'tls.ca = "{ca or self.kafka.authority.file}"\n'
            f'tls.certificate = "{own}"\ntls.key = "{own}"\n[kms]\ninsecure_dev = true\n'
            f'[clickhouse]\nport = {clickhouse or self.server.port}\nuser = "{user}"\n'
            f"answer_s_max = 5\n[monitor]\nport = {monitor}\n[custody]\nport = {free_port()}\n"
            f"[api]\nport = {self.api_port}\n[desk]\nport = {self.desk_port}\n"
            f'[desk_at]\nurl = "http://127.0.0.1:{self.desk_port}"\n'
            f'[ledger]\norg = "acme"\nkey = "{self.folder.key(LEDGER)}"\n'
            f'heads = "{self.folder.heads}"\n'
        )
        return file

    def run(self, settings: Path, *words: str, stdin: str = "") -> Ended:
        """Run a command to its end with these settings."""
        more = {PASSWORD: self.password_of(settings), "SIXGATE_CONFIG": str(settings)}
        return ForkedCommandLine(None).run(*words, stdin=stdin, more=more)

    def process(self, name: str, settings: Path | None = None) -> Ended:
        """Run a process that ends without a signal."""
        file = settings or self.settings((OWN | WITH_PEOPLE)[name])
        return self.run(file, *EVERY[name], "--config", str(file))

    def start(self, name: str) -> "subprocess.Popen[bytes]":
        """Start a process and wait until it is ready."""
        port = free_port()
        file = self.settings((OWN | WITH_PEOPLE)[name], monitor=port)
        env = os.environ | {PASSWORD: self.password_of(file)}
        with (self.folder.path / f"{name}.log").open("ab") as log:
            process = fork(*EVERY[name], "--config", str(file), out=log, env=env)
        self.running.append(process)
        until(lambda: process.poll() is not None or ready(port), READY_S_MAX)
        assert process.poll() is None, self.log(name)
        return process

    def log(self, name: str) -> str:
        return (self.folder.path / f"{name}.log").read_text()[-4_000:]

    def close(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()

    def password_of(self, settings: Path) -> str:
        return password(USERS.get(settings.stem, "ledger_reader"))


@contextmanager
def secured(path: Path, agents: Sequence[Ed25519Signer]) -> Iterator[Secured]:
    """Yield an organisation on its own servers, with topics and ACLs, no process started."""
    with (
        secure_kafka_in(path / "kafka") as kafka,
        running(lambda: server_with_roles(path / "clickhouse"), path / "clickhouse") as server,
    ):
        with closing(ClickHouse.server(as_user(server, "ledger_ddl"))) as clickhouse:
            migrate(clickhouse)
        found = Secured(make_folder(path / "data", agents), kafka, server)
        found.provision()
        try:
            yield found
        finally:
            found.close()
