"""The processes of ``tools/local``: started once, ended by PID and start time, fetched fully."""

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from tests.harness.broker.servers import running, start_or_skip, watched
from tests.harness.builders.waiting import until
from tools.local import fetch, ports
from tools.local.clickhouse import ClickHouse
from tools.local.errors import ServerError
from tools.local.ports import HOST, free_port
from tools.local.process import Process, load_running, spawn

USERS = """<clickhouse>
<profiles><default/></profiles><quotas><default/></quotas>
<users>
<default><password/><networks><ip>127.0.0.1</ip></networks></default>
<reader><password>a-test</password><networks><ip>127.0.0.1</ip></networks>
<grants><query>GRANT SELECT ON system.one</query></grants></reader>
</users></clickhouse>"""
SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Process]:
    process = spawn(SLEEP, tmp_path / "log", {})
    yield process
    process.send(signal.SIGKILL)
    assert process.ended(10)


def test_a_process_is_found_again_and_ended(sleeper: Process, tmp_path: Path) -> None:
    sleeper.save(tmp_path / "process.json")
    assert load_running(tmp_path / "process.json") == sleeper
    sleeper.send(signal.SIGKILL)
    assert sleeper.ended(10)
    assert load_running(tmp_path / "process.json") is None


def test_a_reused_pid_is_never_signalled(sleeper: Process) -> None:
    Process(sleeper.pid, "an earlier start").send(signal.SIGKILL)
    assert not sleeper.ended(0.1)


LARGE = """
import socket, sys, threading, time
memory = b"1" * (300 << 20)
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
for _ in range(40):
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
print("up", flush=True)
time.sleep(600)
"""


def large(port: int, log: Path) -> Process:
    process = spawn([sys.executable, "-c", LARGE, str(port)], log, {})
    until(lambda: log.exists() and log.read_text() == "up\n")
    return process


def test_a_process_has_ended_when_it_has_released_its_port(tmp_path: Path) -> None:
    """The first thread may end long before the other threads close the port."""
    for number in range(3):
        port = free_port()
        process = large(port, tmp_path / str(number))
        process.send(signal.SIGKILL)
        assert process.ended(30)
        socket.create_server((HOST, port)).close()


BUSY = """
import threading, time
for _ in range(20):
    threading.Thread(target=lambda: [sum(range(1000)) for _ in iter(int, 1)], daemon=True).start()
print("up", flush=True)
time.sleep(600)
"""


def test_no_thread_of_a_frozen_process_runs(tmp_path: Path) -> None:
    """SIGSTOP returns while some threads still run: a broker would answer one more request."""
    log = tmp_path / "log"
    process = spawn([sys.executable, "-c", BUSY], log, {})
    try:
        until(lambda: log.exists() and log.read_text() == "up\n")
        for _ in range(20):
            process.freeze()
            stats = Path(f"/proc/{process.pid}/task").glob("*/stat")
            assert {stat.read_text().rpartition(")")[2].split()[0] for stat in stats} == {"T"}
            process.send(signal.SIGCONT)
    finally:
        process.send(signal.SIGKILL)
        assert process.ended(30)
    process.freeze()  # an ended process is not waited for


def test_a_port_is_not_given_twice_in_a_row() -> None:
    assert len({free_port() for _ in range(500)}) == 500


DRAWING = """
import sys
from tools.local.ports import free_port
print(*(free_port() for _ in range(50)), flush=True)
sys.stdin.read()
"""


def test_a_port_given_to_a_running_process_is_not_given_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing listens there yet, so probing the port does not show it."""
    command = [sys.executable, "-c", DRAWING]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        theirs = set(map(int, other.stdout.readline().split()))
        for first in theirs:
            turns = itertools.count(ports._PORTS.index(first))  # noqa: SLF001 - where they were
            monkeypatch.setattr(ports, "_candidates", turns)
            assert free_port() not in theirs
        other.communicate()


def test_a_thread_id_is_not_a_process() -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        assert thread.native_id
        assert not Process(thread.native_id, "long ago").alive
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"pid": 1}', *(f'{{"pid": {n}, "started": ""}}' for n in (-1, 2**40))],
)
def test_a_damaged_pid_file_names_no_process(tmp_path: Path, content: str) -> None:
    (tmp_path / "process.json").write_text(content)
    assert load_running(tmp_path / "process.json") is None


def test_servers_do_not_outlive_a_killed_test_run(sleeper: Process, tmp_path: Path) -> None:
    sleeper.save(tmp_path / "process.json")
    runner = subprocess.Popen(
        [sys.executable, "-c", WATCHED, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert runner.stdout
    assert runner.stdout.readline() == "watched\n"
    assert sleeper.alive
    runner.kill()
    runner.communicate()
    assert sleeper.ended(20)


WATCHED = """
import sys, time
from pathlib import Path
from tests.harness.broker.servers import watched
with watched(Path(sys.argv[1])):
    print("watched", flush=True)
    time.sleep(600)
"""


def test_starting_twice_starts_once(tmp_path: Path) -> None:
    with running(lambda: ClickHouse(tmp_path), tmp_path) as server:
        before = server.process
        ClickHouse(tmp_path).start()
        assert ClickHouse(tmp_path).process == server.process == before
        assert before


def connect(server: ClickHouse, password: str) -> Client:
    return clickhouse_connect.get_client(
        host=HOST, port=server.port, username="reader", password=password
    )


def test_users_have_the_grants_of_the_committed_file(tmp_path: Path) -> None:
    users = tmp_path / "users.xml"
    users.write_text(USERS)
    with running(lambda: ClickHouse(tmp_path / "server", users=users), tmp_path) as server:
        with connect(server, "a-test") as client:
            assert client.query("SELECT * FROM system.one").result_rows == [(0,)]
            with pytest.raises(DatabaseError, match="497"):
                client.command("CREATE DATABASE mine")
        with pytest.raises(DatabaseError, match="516"):
            connect(server, "another")


@pytest.fixture
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(fetch, "DOWNLOADS", tmp_path)
    return tmp_path


@pytest.fixture
def maven(downloads: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a fake ``mvn`` on the path that delivers one jar and records each call."""
    tools = downloads / "tools"
    tools.mkdir()
    (tools / "mvn").write_text(
        f"#!/bin/sh\necho called >> {downloads}/calls\nsleep 0.3\n"
        'for last; do :; done\nprintf "%s" "jar" > "${last#-DoutputDirectory=}/one.jar"\n'
    )
    (tools / "mvn").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    return downloads / "calls"


@pytest.fixture
def pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "pins"
    folder.mkdir()
    (folder / "pom.xml").write_text("<project/>")
    monkeypatch.setattr(fetch, "PINS", folder)
    return folder


OTHER_DIGEST = "0" * 64


def test_two_parallel_processes_fetch_once(pins: Path, maven: Path) -> None:
    digest = subprocess.run(["sha256sum"], input=b"jar", capture_output=True, check=True)  # noqa: S607
    (pins / "jars.sha256").write_text(f"{digest.stdout.decode().split()[0]}  one.jar\n")
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: fetch.kafka_jars(), range(2))
    assert first == second
    assert (first / "one.jar").read_bytes() == b"jar"
    assert maven.read_text() == "called\n"


def test_another_jar_than_the_pinned_one_is_not_installed(pins: Path, maven: Path) -> None:
    (pins / "jars.sha256").write_text(f"{OTHER_DIGEST}  one.jar\n")
    for _ in range(2):
        with pytest.raises(ServerError, match=r"one\.jar"):
            fetch.kafka_jars()
    assert maven.read_text() == "called\n" * 2


def test_a_half_fetched_folder_is_fetched_again(pins: Path, maven: Path, downloads: Path) -> None:
    digest = subprocess.run(["sha256sum"], input=b"jar", capture_output=True, check=True)  # noqa: S607
    (pins / "jars.sha256").write_text(f"{digest.stdout.decode().split()[0]}  one.jar\n")
    half = downloads / "kafka.partial"
    half.mkdir()
    (half / "two.jar").write_text("half of")
    assert [jar.name for jar in fetch.kafka_jars().iterdir()] == ["one.jar"]
    assert maven.exists()


@pytest.mark.usefixtures("downloads")
def test_a_missing_tool_is_named_with_where_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    for fetched, name in ((fetch.kafka_jars, "Maven"), (fetch.clickhouse_library, "Node.js")):
        with pytest.raises(ServerError, match=name):
            fetched()


def test_down_ends_only_what_up_started(tmp_path: Path, sleeper: Process) -> None:
    def local(command: str) -> dict[str, dict[str, object]]:
        words = [sys.executable, "-m", "tools.local", command, "--data", str(tmp_path)]
        done = subprocess.run(words, capture_output=True, check=True, timeout=120)
        printed: dict[str, dict[str, object]] = json.loads(done.stdout)
        assert json.loads((tmp_path / "servers.json").read_bytes()) == printed
        return printed

    with watched(tmp_path):
        started = local("up")
        assert set(started) == {"kafka", "clickhouse"}
        assert local("up") == local("status") == started
        notes = [
            Process(**json.loads(file.read_bytes())) for file in tmp_path.rglob("process.json")
        ]
        assert {note.pid for note in notes} == {server["pid"] for server in started.values()}
        assert local("down") == {}
        assert not any(note.alive for note in notes)
        assert sleeper.alive


@pytest.mark.parametrize(
    ("ci", "ends"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)]
)
def test_a_server_that_cannot_start_fails_in_ci_and_is_skipped_elsewhere(
    monkeypatch: pytest.MonkeyPatch, ci: str, ends: type[BaseException]
) -> None:
    def make() -> ClickHouse:
        raise ServerError("npm is missing")

    monkeypatch.setenv("CI", ci)
    with pytest.raises(ends, match="npm is missing"):
        start_or_skip(make)
