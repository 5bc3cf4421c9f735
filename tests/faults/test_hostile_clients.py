"""Attacks on the node by clients that can open its socket."""

import base64
import itertools
import socket
import sqlite3
import stat
import threading
from collections import Counter
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.partition import partition_of
from schemas.record import Outgoing
from schemas.registry import AccountOpened
from schemas.topics import Topic
from sixgate.api import ApiError
from sixgate.data_folder.folder import Folder
from sixgate.embedded.node import Node
from sixgate.socket.connection import connect
from sixgate.socket.remote import dial
from sixgate.socket.serving import CLIENTS_MAX, REQUEST_BYTES_MAX, serving
from streams.ledger.errors import LedgerUnavailableError
from streams.log.errors import LogError
from streams.log.sqlite import SqliteLog
from tests.harness.builders.waiting import until
from tests.harness.cli.clients import ask
from tests.harness.pipeline.embedded import (
    ACCOUNT,
    Producer,
    agent_entry,
)
from tests.harness.pipeline.embedded_fixtures import (
    HOME,
    outcomes,
    registry_record,
    submitted,
)


@pytest.fixture
def node(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(folder.path)  # a socket's address holds only 107 bytes
    with connect(folder.path) as api:
        assert isinstance(api, Node)
        yield api


JOIN_S_MAX = 60


def test_a_failed_commit_during_an_operators_call_halts(
    node: Node, folder: Folder, trader: Producer
) -> None:
    node.pipeline.step()  # reads the registry
    entry = AccountOpened(account="second")
    raw = registry_record(folder, node.stage.registry, entry)
    log = node.pipeline.parts.runner.pipeline
    with node.pipeline.lock:  # so that the operator's call processes the intent first
        node.pipeline.settle()
        log._db.execute("PRAGMA busy_timeout = 1")  # noqa: SLF001
        with closing(SqliteLog(folder.inbox, 4)) as inbox:
            inbox.append([Outgoing(Topic.SUBMITTED, ACCOUNT, trader.signed("a"))], 1)
        with closing(sqlite3.connect(folder.pipeline, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LogError):
                node.register(base64.b64encode(raw).decode())
            other.execute("ROLLBACK")
    with pytest.raises(ApiError, match="locked") as halted:
        list(node.submit([submitted(trader.signed("b"))], wait=True))
    assert halted.value.code == "halted"
    node.pipeline.failure = None  # the fixture would raise it
    assert outcomes(folder) == []


def test_a_flood_does_not_keep_an_operator_from_deactivating_its_agent(
    node: Node, folder: Folder, trader: Producer
) -> None:
    node.pipeline.step()  # reads the registry
    off = agent_entry(trader.signer, active=False)
    raw = registry_record(folder, node.stage.registry, off)
    flood = [trader.signed(str(number), value_wei=1) for number in range(600)]
    with node.pipeline.lock:  # the flood arrives before the operator's call
        with closing(SqliteLog(folder.inbox, 4)) as inbox:
            inbox.append([Outgoing(Topic.SUBMITTED, ACCOUNT, value) for value in flood], 1)
        node.register(base64.b64encode(raw).decode())
    while node.pipeline.step():
        continue
    found = Counter(outcome.get("reason", "signed") for outcome in outcomes(folder))
    assert found["signed"] <= 256, found


def test_an_endless_request_is_disconnected(node: Node, folder: Folder) -> None:
    assert node.status()
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(JOIN_S_MAX)
        link.connect(str(folder.socket))
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            link.sendall(b"x" * (REQUEST_BYTES_MAX + 16 * 1024 * 1024))


def test_disconnected_followers_leave_no_threads(node: Node, folder: Folder) -> None:
    assert node.status()
    before = set(threading.enumerate())
    line = b'{"method":"signed","values":[],"named":{"after":0,"follow":true}}\n'
    with ExitStack() as opened:
        links = [opened.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(10)]
        for link in links:
            link.connect(str(folder.socket))  # waits for its turn; with a timeout it would not
            link.settimeout(JOIN_S_MAX)
            link.sendall(line)
        assert all(link.recv(1) for link in links)  # each is followed by now
        serving = set(threading.enumerate()) - before
    assert len(serving) >= len(links)
    for thread in serving:
        thread.join(JOIN_S_MAX)
    assert not any(thread.is_alive() for thread in serving)


def test_a_misrouted_copy_does_not_tell_a_client_that_its_intent_failed(
    node: Node, folder: Folder, trader: Producer
) -> None:
    intent = trader.signed("a")
    with node.pipeline.lock:  # the copy is there first
        with closing(SqliteLog(folder.inbox, 4)) as inbox:
            stranger = next(k for k in map(str, range(99)) if partition_of(k, 4) < HOME or not HOME)
            inbox.append([Outgoing(Topic.SUBMITTED, stranger, intent)], 1)
        stream = node.submit([submitted(intent)], wait=True)
        next(stream)
    assert [end["result"]["type"] for end in stream] == ["transaction.signed"]


def test_a_long_key_does_not_stay_in_memory(node: Node) -> None:
    with pytest.raises(ApiError):
        list(node.submit([submitted(b"{}", "k" * 1_000_000)], wait=False))


def test_a_ledger_that_failed_during_a_clients_call_is_not_written_to_again(
    node: Node, folder: Folder, trader: Producer
) -> None:
    list(node.submit([submitted(trader.signed("a"))], wait=True))
    node.pipeline.settle()
    kept = folder.heads.rename(folder.path / "kept")
    folder.heads.mkdir()
    with node.pipeline.parts.ledger_service._lock:  # noqa: SLF001 - the client must find it locked
        list(node.submit([submitted(trader.signed("b"))], wait=True))
        with pytest.raises(LedgerUnavailableError):
            node.pipeline.settle()
    folder.heads.rmdir()
    kept.rename(folder.heads)
    with pytest.raises(ApiError, match=r"heads\.jsonl"):
        node.pipeline.settle()
    node.pipeline.failure = None  # the fixture would raise it


def test_opening_the_socket_does_not_change_the_mode_of_other_threads_files(
    node: Node, tmp_path: Path
) -> None:
    modes, stop = set[int](), threading.Event()

    def make_folders() -> None:
        for count in itertools.count():
            made = tmp_path / f"made-{count}"
            made.mkdir()
            modes.add(stat.S_IMODE(made.stat().st_mode))
            if stop.is_set():
                return

    beside = threading.Thread(target=make_folders)
    beside.start()
    served = Folder(tmp_path / "served")
    served.path.mkdir()
    for _ in range(30):
        with serving(served, node):
            continue
    stop.set()
    beside.join()
    assert len(modes) == 1, modes


def test_clients_beyond_the_limit_of_open_files_get_an_error(node: Node, folder: Folder) -> None:
    assert node.status()
    line = b'{"method":"status","values":[],"named":{}}\n'
    with ExitStack() as idle:
        for _ in range(CLIENTS_MAX):
            idle.enter_context(closing(dial(folder)))
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(folder.socket))
            link.settimeout(JOIN_S_MAX)
            answer = orjson.loads(link.makefile("rb").readline())
        assert answer["error"]["code"] == "busy"

    def is_served() -> bool:
        with suppress(OSError):
            return b"done" in ask(folder, line)
        return False

    until(is_served)
