"""Servers that do not answer: their callers leave threads to all other routes."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Event, Semaphore
from typing import Any

import pytest
from fastapi.testclient import TestClient

from schemas.registry.records import Entry
from sixgate.api import Json
from sixgate.api.app import create_app
from sixgate.api.route_guards import SLOTS_MAX
from sixgate.api.services import Services
from sixgate.authoring.operator import Admin
from sixgate.authoring.vault_orders import Orderer
from sixgate.backends.ports import Secrets
from sixgate.desk.desk import Desk
from tests.harness.api import Api

REQUESTS = 48  # more than the framework's 40 threads
WAIT_S_MAX = 60


@dataclass
class Stuck:
    """A server that answers nothing until it is ``answering``."""

    answering: Event = field(default_factory=Event)
    asked: Semaphore = field(default_factory=lambda: Semaphore(0))

    def ask(self) -> None:
        self.asked.release()
        assert self.answering.wait(WAIT_S_MAX)


@dataclass
class StuckCustody(Stuck):
    secrets: Secrets | None = None

    def reading_key(self) -> Json:
        raise AssertionError

    def read_secret(self, request: str, client_address: str) -> Json:
        assert self.secrets
        self.ask()
        return self.secrets.read_secret(request, client_address)


@dataclass
class StuckDesk(Stuck):
    desk: Desk | None = None

    def register(self, entries: Sequence[Entry], replaced: Sequence[Entry] = ()) -> None:
        assert self.desk
        self.ask()
        self.desk.register(entries, replaced)

    def admin(self) -> Admin:
        raise AssertionError

    def orderer(self) -> Orderer:
        raise AssertionError


def with_stuck(services: Services, server: str) -> tuple[Services, Stuck]:
    if server == "custody":
        custody = StuckCustody(secrets=services.backend.secrets)
        backend = replace(services.backend, secrets=custody)
        return replace(services, backend=backend), custody
    desk = StuckDesk(desk=services.desk)
    return replace(services, desk=desk), desk


@contextmanager
def many_requests(client: TestClient, stuck: Stuck, **request: Any) -> Iterator[list[Any]]:
    """Send requests that a stuck server holds; yield their replies, complete after the block."""
    replies: list[Any] = []
    with ThreadPoolExecutor(REQUESTS) as threads:
        sent = [threads.submit(client.request, **request) for _ in range(REQUESTS)]
        try:
            for _ in range(SLOTS_MAX):
                assert stuck.asked.acquire(timeout=WAIT_S_MAX)
            yield replies
        finally:
            stuck.answering.set()
        replies += [one.result(WAIT_S_MAX) for one in sent]


@pytest.mark.parametrize("server", ["custody", "desk"])
def test_a_stuck_server_leaves_threads_to_the_other_routes(api: Api, server: str) -> None:
    vault = api.client.post("/v1/vaults", json={"name": server}, headers=api.person).json()["id"]
    url = f"/v1/vaults/{vault}/secrets/prod/db"
    stored = api.client.put(url, json={"value": "x", "type": "note"}, headers=api.person)
    assert stored.status_code == 201, stored.text
    wanted: Any = {
        "custody": {"method": "GET", "url": url},
        "desk": {"method": "POST", "url": "/v1/agents", "json": {"name": "bot"}},
    }[server]
    services, stuck = with_stuck(api.services, server)
    with (
        TestClient(create_app(services)) as client,
        ThreadPoolExecutor(1) as another,
        many_requests(client, stuck, headers=api.person, **wanted) as replies,
    ):
        other = another.submit(client.get, "/v1/auth/me", headers=api.person)
        assert other.result(WAIT_S_MAX / 2).status_code == 200
        assert not stuck.asked.acquire(blocking=False)
    statuses = Counter(reply.status_code for reply in replies)
    assert set(statuses) <= {200, 201, 503}
    for reply in replies:
        if reply.status_code == 503:
            assert (reply.json()["code"], reply.headers["Retry-After"]) == ("busy", "1")
            assert server in reply.json()["detail"]
