"""Attacks on the node by clients that can open its socket."""

import base64
import itertools
import socket
import sqlite3
import stat
import sys
import threading
import traceback
from collections import Counter
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import pytest

from schemas.partition import partition_of
from schemas.record import Outgoing
from schemas.registry.records import AccountOpened
from schemas.topics import Topic
from sixgate.api import ApiError
from sixgate.api.operator.connection import connect, remote_api
from sixgate.api.operator.serving import BODY_BYTES_MAX, HEAD_BYTES_MAX, serving_operators
from sixgate.data_folder.folder import Folder
from sixgate.remote_calls.calls_app import STREAMS_MAX
from sixgate.remote_calls.line_stream import LineStream
from sixgate.remote_calls.unix_link import dial
from sixgate.services.embedded.node import Node
from streams.ledger.errors import LedgerUnavailableError
from streams.log.errors import LogError
from streams.log.sqlite import SqliteLog
from tests.harness.builders.waiting import until
from tests.harness.cli.clients import request
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
    raw = registry_record(folder, node.registered, entry)
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
    raw = registry_record(folder, node.registered, off)
    flood = [trader.signed(str(number), value_wei=1) for number in range(600)]
    with node.pipeline.lock:  # the flood arrives before the operator's call
        with closing(SqliteLog(folder.inbox, 4)) as inbox:
            inbox.append([Outgoing(Topic.SUBMITTED, ACCOUNT, value) for value in flood], 1)
        node.register(base64.b64encode(raw).decode())
    while node.pipeline.step():
        continue
    found = Counter(outcome.get("reason", "signed") for outcome in outcomes(folder))
    assert found["signed"] <= 256, found


FOLLOW = request("GET", "/v1/operator/signed?after=0&follow=true")


def test_an_endless_request_is_refused_and_disconnected(node: Node, folder: Folder) -> None:
    assert node.status()
    too_much = BODY_BYTES_MAX + 1
    with closing(dial(folder.socket)) as link:
        link.settimeout(JOIN_S_MAX)
        link.sendall(request("POST", "/v1/operator/intents", b"x" * too_much)[:65_536])
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            send_without_end(link)
    with pytest.raises(ApiError) as caught:
        remote_api(folder).sql("x" * too_much)
    assert caught.value.code == "body_too_large"


def send_without_end(link: socket.socket) -> None:
    while True:
        link.sendall(b"x" * 65_536)


def test_an_endless_head_is_refused(node: Node, folder: Folder) -> None:
    assert node.status()
    with pytest.raises(ApiError) as caught:
        remote_api(folder).trail("x" * HEAD_BYTES_MAX)
    assert caught.value.code == "head_too_large"


def followed(folder: Folder) -> socket.socket:
    """Return the connection of a client that follows; its server has begun to answer."""
    link = dial(folder.socket)
    link.settimeout(JOIN_S_MAX)
    link.sendall(FOLLOW)
    assert link.recv(9) == b"HTTP/1.1 "
    return link


def test_disconnected_followers_leave_no_threads(node: Node, folder: Folder) -> None:
    assert node.status()
    idle = threads_of_followers()
    with ExitStack() as opened:
        for _ in range(10):
            opened.enter_context(closing(followed(folder)))
        until(lambda: threads_of_followers() >= idle + 10)
    until(lambda: threads_of_followers() == idle)


def threads_of_followers() -> int:
    """Return how many threads wait for signed transactions."""
    frames = sys._current_frames().values()  # noqa: SLF001 - a documented function
    return sum(
        any(frame.f_code is LineStream.produce.__code__ for frame, _ in traceback.walk_stack(top))
        for top in frames
    )


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
    for _ in range(10):
        with serving_operators(served, node):
            continue
    stop.set()
    beside.join()
    assert len(modes) == 1, modes


def test_more_followers_than_the_limit_are_refused_and_other_calls_are_answered(
    node: Node, folder: Folder
) -> None:
    assert node.status()
    api = remote_api(folder)
    with ExitStack() as following:
        for _ in range(STREAMS_MAX):
            following.enter_context(closing(followed(folder)))
        with pytest.raises(ApiError, match=str(STREAMS_MAX)) as caught:
            list(api.signed(after=0, follow=False))
        assert caught.value.code == "busy"
        assert api.status()["org"] == "acme"

    def is_served() -> bool:
        with suppress(ApiError):
            return list(api.signed(after=0, follow=False)) == []
        return False

    until(is_served)


def test_followers_do_not_keep_the_owner_from_ending(folder: Folder) -> None:
    with ExitStack() as following:
        with connect(folder.path):
            events = remote_api(folder).signed(after=0, follow=True)
            following.enter_context(closing(followed(folder)))
        with pytest.raises(ApiError) as caught:
            next(events)
        assert caught.value.code == "connection_lost"
