"""Kafka and ClickHouse in containers, used where a Docker engine answers.

Kafka uses the files of the local server: the same folder, settings, ports and certificates, on the
host's network.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from docker.errors import APIError, NotFound
from testcontainers.core.container import DockerContainer

from tools.local.clickhouse import pings
from tools.local.kafka import Kafka, properties
from tools.local.ports import HOST, stable_port
from tools.local.server import Server

KAFKA_IMAGE = "apache/kafka:4.3.0"
CLICKHOUSE_IMAGE = "clickhouse/clickhouse-server:26.7"
ENGINE_S_MAX = 10
_POLL_S = 0.05
_KAFKA = "/opt/kafka/bin"


@cache
def docker_answers() -> bool:
    """Tell whether there is a Docker engine."""
    if not (docker := shutil.which("docker")):
        return False
    asked = [docker, "version", "--format", "{{.Server.Version}}"]
    try:
        answer = subprocess.run(asked, capture_output=True, check=False, timeout=ENGINE_S_MAX)
    except subprocess.TimeoutExpired:
        return False
    return answer.returncode == 0


class ContainerServer(Server):
    """A server in a container; its data survive a kill."""

    def __init__(
        self, folder: Path, container: DockerContainer, answers: Callable[[], bool]
    ) -> None:
        super().__init__(folder, [], answers)
        self._container = container
        self._made = False

    @property
    def running(self) -> bool:
        if not self._made:
            return False
        self._container.reload()
        return self._container.status in ("running", "paused")

    def launch(self) -> None:
        if not self._made:
            self._container.start()
            self._made = True
        elif not self.running:
            self._container.get_wrapped_container().start()

    def send(self, number: signal.Signals) -> None:
        if not self.running:
            return
        try:
            self._container.get_wrapped_container().kill(signal=number.name)
        except (APIError, NotFound):
            if self.running:  # it has not ended meanwhile
                raise

    def ended(self, within_s: float) -> bool:
        until = time.monotonic() + within_s
        while self.running and time.monotonic() < until:
            time.sleep(_POLL_S)
        return not self.running

    def remove(self) -> None:
        if self._made:
            self._container.stop()


class ContainerKafka(Kafka):
    """A Kafka cluster of containers."""

    def _server(self, folder: Path, answers: Callable[[], bool]) -> Server:
        settings = properties(folder)
        format_ = f"{_KAFKA}/kafka-storage.sh format --ignore-formatted -t {self.cluster}"
        start = f"exec {_KAFKA}/kafka-server-start.sh {settings}"
        container = (
            DockerContainer(KAFKA_IMAGE)
            .with_command(["bash", "-c", f"{format_} -c {settings} && {start}"])
            .with_env("LOG_DIR", "/tmp")  # noqa: S108 - the container's own
            .with_volume_mapping(self.folder, str(self.folder), "rw")
            .with_kwargs(network_mode="host", user=f"{os.getuid()}:{os.getgid()}")
        )
        return ContainerServer(folder, container, answers)

    def _format(self, folder: Path) -> None:
        """Do nothing: the container's command formats the folder."""

    def remove(self) -> None:
        for node in self.nodes:
            if isinstance(node, ContainerServer):
                node.remove()


class ContainerClickHouse(ContainerServer):
    """A ClickHouse server with the image's default settings, on a loopback port."""

    def __init__(self, folder: Path) -> None:
        self.port = stable_port(folder / "port.json")
        container = DockerContainer(CLICKHOUSE_IMAGE).with_env("CLICKHOUSE_SKIP_USER_SETUP", "1")
        container.ports["8123/tcp"] = (HOST, self.port)  # type: ignore[assignment]  # the form that docker takes
        super().__init__(folder, container, partial(pings, self.port))

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}"
