"""Real Kafka and ClickHouse servers as fixtures; most tests use those of ``shared``.

They are containers where a Docker engine answers, else processes; the tests are the same. A test
that kills or stops a server restarts it. A test that needs its own topics uses ``own_names``. If a
server cannot start, the test fails in CI and is skipped elsewhere, with the reason.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, NoReturn, Protocol, TypeVar

import pytest

from tests.harness.broker.containers import (
    ContainerClickHouse,
    ContainerKafka,
    ContainerServer,
    docker_answers,
)
from tools.local.certificates import Authority
from tools.local.clickhouse import ClickHouse
from tools.local.errors import ServerError
from tools.local.fetch import clickhouse_library, kafka_jars
from tools.local.kafka import ADMIN, BROKER, Identities, Kafka


class RealServer(Protocol):
    @property
    def address(self) -> str: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...
    def restart(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


class Startable(Protocol):
    def start(self) -> None: ...
    def stop(self) -> None: ...


class RealClickHouse(RealServer, Protocol):
    port: int


S = TypeVar("S", bound=Startable)


class SecureKafka(NamedTuple):
    """A broker that requires client certificates and denies by default, and its authority."""

    kafka: Kafka
    authority: Authority
    admin: Path


def start_or_skip(make: Callable[[], S]) -> S:
    """Start a server and return it; if it cannot start, fail the test in CI, else skip it."""
    try:
        server = make()
        server.start()
    except ServerError as error:
        _not_started(error)
    return server


def fetched() -> None:
    """Download the servers that run as processes; fail or skip as ``start_or_skip`` does."""
    try:
        kafka_jars()
        clickhouse_library()
    except ServerError as error:
        _not_started(error)


def _not_started(error: ServerError) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(str(error))
    pytest.skip(str(error))


@contextmanager
def watched(folder: Path) -> Iterator[None]:
    """Kill the servers of the folder when this process ends, however it ends."""
    command = [sys.executable, "-m", "tools.local.watchdog", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True):
        yield  # leaving the block closes the pipe


@contextmanager
def running(make: Callable[[], S], folder: Path) -> Iterator[S]:
    """Run a server during the block; ``folder`` holds its data."""
    with watched(folder):
        server = start_or_skip(make)
        try:
            yield server
        finally:
            server.stop()
            if isinstance(server, ContainerKafka | ContainerServer):
                server.remove()


def kafka_in(folder: Path, *, nodes: int = 1, identities: Identities | None = None) -> Kafka:
    """Return a Kafka cluster, not yet started."""
    kind = ContainerKafka if docker_answers() else Kafka
    return kind(folder, nodes=nodes, identities=identities)


def clickhouse_in(folder: Path) -> RealClickHouse:
    """Return a ClickHouse server, not yet started."""
    return ContainerClickHouse(folder) if docker_answers() else ClickHouse(folder)


@pytest.fixture(scope="session")
def kafka_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    folder = tmp_path_factory.mktemp("kafka-cluster")
    with running(lambda: kafka_in(folder, nodes=3), folder) as server:
        yield server


@contextmanager
def secure_kafka_in(folder: Path) -> Iterator[SecureKafka]:
    """Run a broker that requires client certificates and denies by default."""
    authority = Authority(folder / "identities")
    admin = authority.issue(ADMIN)
    identities = Identities(authority.file, authority.issue(BROKER), admin)
    with running(lambda: kafka_in(folder, identities=identities), folder) as server:
        yield SecureKafka(server, authority, admin)


@pytest.fixture(scope="session")
def secure_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    with secure_kafka_in(tmp_path_factory.mktemp("kafka-secure")) as found:
        yield found


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealClickHouse]:
    folder = tmp_path_factory.mktemp("clickhouse")
    with running(lambda: clickhouse_in(folder), folder) as server:
        yield server
