"""One broker and one ClickHouse server per test worker; each organisation has its own names there.

A server starts when the first test requests it and stops with the session. A test may pause or kill
it: a worker runs one test at a time, and ``shared_kafka`` and ``shared_clickhouse`` resume and
restart the server. The ``kafka`` fixture does so for each test; the ``ledger_server`` fixture does
so once per session, so a test that pauses or kills that server resumes or restarts it.
"""

import asyncio
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from streams.kafka.names import Names
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.migrations import migrate
from tests.harness.broker.ledger_servers import DATABASES, as_user, server_with_roles
from tests.harness.broker.servers import kafka_in, running
from tests.harness.broker.topics import await_unfenced, remove_topics
from tools.local.clickhouse import ClickHouse as LocalServer
from tools.local.kafka import Kafka

_OPENED = ExitStack()
_FREE = list(DATABASES)


@pytest.fixture(scope="session", autouse=True)
def shared_servers_end() -> Iterator[None]:
    yield
    _OPENED.close()


@pytest.fixture
def kafka() -> Kafka:
    """Return the worker's running broker; fixtures of a wider scope call ``shared_kafka``."""
    return shared_kafka()


@pytest.fixture(scope="session")
def ledger_server() -> LocalServer:
    """Return the worker's ClickHouse server, with the ledger's roles."""
    return shared_clickhouse()


def shared_kafka() -> Kafka:
    """Return the worker's broker; start, resume or restart it if needed."""
    found = _kafka()
    found.resume()
    found.start()
    asyncio.run(await_unfenced(found.address))
    return found


def shared_clickhouse() -> LocalServer:
    """Return the worker's ClickHouse server; start, resume or restart it if needed."""
    found = _clickhouse()
    found.resume()
    found.start()
    return found


@contextmanager
def own_names(kafka: Kafka) -> Iterator[Names]:
    """Yield a unique topic prefix; delete its topics at the end."""
    names = Names(f"t{secrets.token_hex(4)}.")
    try:
        yield names
    finally:
        kafka.resume()
        kafka.start()
        asyncio.run(_delete_topics(kafka, names))


@contextmanager
def own_database() -> Iterator[str]:
    """Yield a database with the ledger's tables on the worker's server; drop it at the end."""
    server, database = shared_clickhouse(), _FREE.pop()
    try:
        with closing(ClickHouse.server(as_user(server, "ledger_ddl"), database)) as clickhouse:
            migrate(clickhouse)
        yield database
    finally:
        with closing(ClickHouse.server(as_user(shared_clickhouse()), database)) as clickhouse:
            clickhouse.command(f"DROP DATABASE {database} SYNC")
        _FREE.append(database)


async def _delete_topics(kafka: Kafka, names: Names) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.address)
    await admin.start()
    try:
        ours = [name for name in await admin.list_topics() if name.startswith(names.prefix)]
        if ours:
            await remove_topics(admin, ours)
    finally:
        await admin.close()


@cache
def _kafka() -> Kafka:
    folder = _folder("kafka")
    return _OPENED.enter_context(running(lambda: kafka_in(folder), folder))


@cache
def _clickhouse() -> LocalServer:
    folder = _folder("clickhouse")
    return _OPENED.enter_context(running(lambda: server_with_roles(folder), folder))


def _folder(name: str) -> Path:
    folder = Path(mkdtemp(prefix=f"sixgate-{name}-"))
    _OPENED.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder
