"""Every service of ``docker-compose.yml`` runs as the file says, on servers without Docker.

Commands, environment, mounts and Kafka's settings are read from the file. Only what Docker provides
is changed: ports (they may be in use here) and mount paths.
"""

import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from schemas.record import Outgoing
from schemas.topics import Topic
from signer.custody.event_signing import Ed25519Signer
from sixgate.cli.exit_codes import ExitCode
from sixgate.data_folder.folder import Folder
from tests.harness.broker.servers import running
from tests.harness.builders.compose import ROOT, Service, image_environment, services, variables_in
from tests.harness.judge.promises import check
from tests.harness.pipeline.embedded import ACCOUNT, STRANGER, Producer, make_folder
from tests.harness.pipeline.scaled import Scaled, all_ended, on_kafka
from tools.local.clickhouse import ClickHouse as LocalServer
from tools.local.kafka import Kafka, properties
from tools.local.ports import free_port

PROCESSES = ("registrar", "gates", "signer", "custody", "ledger")
WITH_PEOPLE = ("desk", "gateway")
KAFKA_PORT, CLICKHOUSE_PORT = "9092", "8123"
READY_S_MAX = 60
SIXGATE = Path(sys.executable).with_name("sixgate")


class ComposeKafka(Kafka):
    """A broker with the file's settings for the image, on free ports."""

    def __init__(self, folder: Path, service: Service) -> None:
        super().__init__(folder)
        own = dict(
            line.split("=", 1)
            for line in Path(properties(self.nodes[0].folder)).read_text().split()
        )
        found = {
            name.removeprefix("KAFKA_").replace("_", ".").lower(): value
            for name, value in service.environment.items()
            if name.startswith("KAFKA_")
        }
        assert set(found) <= set(own) | {"advertised.listeners"}, "a setting nobody tried"
        port, quorum = self._ports[0]
        moved = {
            name: value.replace(":9092", f":{port}").replace(":9093", f":{quorum}")
            for name, value in found.items()
        } | {"log.dirs": own["log.dirs"]}
        text = "".join(f"{name}={value}\n" for name, value in moved.items())
        Path(properties(self.nodes[0].folder)).write_text(text)


class Composed:
    """The file's services with local servers; each sees only its mounts and environment."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.services = services(variables_in(place / ".env"))
        self.ports = {str(port): free_port() for port in (*range(9101, 9108), 8600, 9450, 9460)}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def moved(self, name: str, text: str) -> str:
        """Replace ports and mount paths in the text of a command or variable."""
        for port, own in self.ports.items():
            if text.endswith(port):
                return text.removesuffix(port) + str(own)
        for _, target in self.services[name].mounts:
            top = "/" + target.split("/")[1]
            if text.startswith(top):
                return f"{self.root(name)}{text}"
        return text

    def root(self, name: str) -> Path:
        return self.place / "roots" / name

    def run(self, name: str, words: list[str]) -> "subprocess.Popen[bytes]":
        """Run a command in a service, with the service's variables and files only."""
        program, *rest = words
        assert program == "sixgate"
        service = self.services[name]
        variables = image_environment() | service.environment
        env = {key: self.moved(name, value) for key, value in variables.items()}
        work = self.root(name) / "work"
        work.mkdir(parents=True, exist_ok=True)
        with (self.place / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [str(SIXGATE), *(self.moved(name, word) for word in rest)],
                env={"PATH": os.environ["PATH"], **env},
                cwd=work,
                stdout=log,
                stderr=log,
            )

    def start(self, name: str) -> "subprocess.Popen[bytes]":
        for source, target in self.services[name].mounts:
            appears = self.root(name) / target.removeprefix("/")
            appears.parent.mkdir(parents=True, exist_ok=True)
            appears.unlink(missing_ok=True)
            appears.symlink_to(self.place / source)
        self.processes[name] = self.run(name, ["sixgate", *self.services[name].command])
        return self.processes[name]

    def add_person(self) -> None:
        """Set up the HTTP API with the operator's command and settings."""
        settings = self.place / "sixgate.toml"
        kafka = f'[kafka]\nservers = "127.0.0.1:{self.ports[KAFKA_PORT]}"\n'
        settings.write_text(f'data = "{self.place}/sixgate-data"\n{kafka}')
        added = subprocess.run(
            [str(SIXGATE), "people", "add", "alice", "--config", str(settings)],
            capture_output=True,
            check=False,
        )
        assert added.returncode == ExitCode.OK, added.stderr

    @contextmanager
    def hiding(self, name: str) -> Iterator[None]:
        """Remove during the block what Docker would hide under a tmpfs."""
        found = {
            self.place / source / path.removeprefix(f"{target}/")
            for source, target in self.services[name].mounts
            for path in self.services[name].hidden
        }
        for folder in found:
            folder.rename(folder.with_name("hidden"))
        yield
        for folder in found:
            folder.with_name("hidden").rename(folder)

    def log(self, name: str) -> str:
        return (self.place / f"{name}.log").read_text()[-4_000:]

    def close(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()


@pytest.fixture
def trader() -> Producer:
    return Producer(Ed25519Signer("trader", secrets.token_bytes(32)))


@pytest.fixture
def composed(
    tmp_path: Path, trader: Producer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Composed]:
    """Do the preparation of the operators' page and start the servers."""
    shutil.copytree(ROOT / "infra", tmp_path / "infra", ignore=shutil.ignore_patterns("__py*"))
    make_folder(tmp_path / "sixgate-data", [trader.signer])
    subprocess.run([tmp_path / "infra" / "compose_env.sh"], check=True)
    composed = Composed(tmp_path)
    clickhouse = composed.services["clickhouse"]
    for name, value in clickhouse.environment.items():
        monkeypatch.setenv(name, value)
    ((users, _),) = clickhouse.mounts
    kafka_folder, server_folder = tmp_path / "kafka", tmp_path / "clickhouse"
    with (
        running(
            lambda: ComposeKafka(kafka_folder, composed.services["kafka"]), kafka_folder
        ) as kafka,
        running(
            lambda: LocalServer(server_folder, users=tmp_path / users), server_folder
        ) as server,
    ):
        composed.ports |= {
            KAFKA_PORT: int(kafka.address.split(":")[1]),
            CLICKHOUSE_PORT: server.port,
        }
        yield composed
        composed.close()


def test_every_service_runs_as_the_file_declares(composed: Composed, trader: Producer) -> None:
    servers = f"127.0.0.1:{composed.ports[KAFKA_PORT]}"
    for name in ("topics", "migrate", "publish", "publish"):
        with composed.hiding(name):
            assert composed.start(name).wait(60) == ExitCode.OK, composed.log(name)
    assert "already" in composed.log("publish")
    scaled = Scaled(Folder(composed.place / "sixgate-data"), servers)
    for name in PROCESSES:
        composed.start(name)
    await_healthy(composed)
    composed.add_person()
    for name in WITH_PEOPLE:
        composed.start(name)
    await_healthy(composed)
    values = [trader.signed("good"), trader.signed("no", to=STRANGER)]
    scaled.send([Outgoing(Topic.SUBMITTED, ACCOUNT, value) for value in values])
    scaled.settle(all_ended)
    found = check(on_kafka(servers), settled=True)
    ends = sorted(outcome["type"] for outcome in found.outcomes)
    assert ends == ["intent.rejected", "transaction.signed"]
    heads = composed.place / "sixgate-heads" / "heads.jsonl"
    await_until(lambda: heads.exists() and heads.stat().st_size > 0)
    for name in (*PROCESSES, *WITH_PEOPLE):
        process = composed.processes.pop(name)
        process.terminate()
        assert process.wait(40) == ExitCode.OK, composed.log(name)
        assert list((composed.root(name) / "work").iterdir()) == [], "its file system is read-only"


def await_healthy(composed: Composed) -> None:
    """Run the health checks until Docker would report every service as healthy."""
    for name, process in composed.processes.items():
        if process.poll() is None:
            await_until(partial(healthy, composed, name))


def healthy(composed: Composed, name: str) -> bool:
    return composed.run(name, composed.services[name].health).wait(60) == ExitCode.OK


def await_until(true: Callable[[], bool]) -> None:
    ends_at_s = time.monotonic() + READY_S_MAX
    while not true():
        assert time.monotonic() < ends_at_s
        time.sleep(0.2)
