"""Ten thousand idle connections: each stays usable, and others are served beside them."""

import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from sixgate.api.listeners import RESERVED_FILE_COUNT
from tests.harness.builders.http_server import (
    GET,
    LAST_GET,
    EchoApp,
    ask,
    ask_once,
    connected,
    served,
)
from tests.harness.builders.idle_clients import idle_clients

IDLE_COUNT = 10_000
LONG = 3_600


@pytest.fixture
def few_files() -> Iterator[None]:
    """Begin with the usual limit of open files, beside those that other tests left open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < IDLE_COUNT + 2 * RESERVED_FILE_COUNT:
        pytest.skip(f"the hard limit of open files is {hard}")
    opened = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (opened + 1_024, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("few_files")
def test_ten_thousand_idle_connections_stay_usable() -> None:
    app = EchoApp()
    limits: dict[str, Any] = {"idle_s_max": LONG, "connections_max": IDLE_COUNT + 10}
    with served(app, **limits) as address:
        port = urlsplit(address.url).port or 0
        with idle_clients(port, IDLE_COUNT) as clients:
            assert clients.stdin
            assert clients.stdout
            assert clients.stdout.readline() == "connected\n"
            with connected(address) as fast:
                assert [ask_once(fast, GET).status for _ in range(100)] == [200] * 100
            assert [ask(address, LAST_GET)[0].status for _ in range(100)] == [200] * 100
            print(file=clients.stdin, flush=True)
            assert clients.stdout.readline() == f"{IDLE_COUNT}\n"
    assert len(app.seen) == 2 * IDLE_COUNT + 200
