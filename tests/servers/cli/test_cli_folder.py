"""Data folders: created, served, shared, damaged."""

import ctypes
import json
import os
import resource
import shutil
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from sixgate.data_folder.folder import Folder
from sixgate.remote_calls.unix_link import dial
from tests.harness.builders.waiting import until
from tests.harness.cli.clients import ask, request
from tests.harness.cli.command_line import CommandLine, InProcess, served, stopped
from tests.harness.cli.intents import INTENT

LIBC = ctypes.CDLL(None)
QUERY_CPU_S = 0.5  # far more than a node without work takes meanwhile
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2


@pytest.fixture(scope="module")
def upheld(
    organisation: InProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[InProcess]:
    """Serve one folder to the tests that leave its node running; it must be at the end."""
    with served(organisation.copy(tmp_path_factory.mktemp("upheld") / "data")) as running:
        yield running


def test_a_new_folder_is_complete_and_private(tmp_path: Path) -> None:
    cli = InProcess(tmp_path / "data")
    cli.processes.ok("init", "--org", "acme", "--account", "treasury")
    assert stat.S_IMODE(cli.data.stat().st_mode) == 0o700
    keys = [path for path in (cli.data / "keys").rglob("*") if path.is_file()]
    assert keys
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys if path.suffix == ".pem"} == {0o600}
    assert len(cli.ok("chains", "list", "--json").json) == 30
    again = cli.run("init", "--org", "acme")
    assert (again.code, f"{cli.data} is not empty" in again.sentence) == (5, True)


@pytest.mark.parametrize("name", ["Acme", "\u0430cme", "", "a" * 64, "../acme"])
def test_an_invalid_name_creates_no_folder(tmp_path: Path, name: str) -> None:
    cli = InProcess(tmp_path / "data")
    assert cli.run("init", "--org", name).code == 2
    assert not cli.data.exists()


def test_while_up_runs_every_command_goes_through_its_socket_until_it_stops_cleanly(
    cli: InProcess, tmp_path: Path
) -> None:
    up = cli.up()
    assert stat.S_IMODE((cli.data / "sixgate.sock").stat().st_mode) == 0o600
    assert cli.submit(INTENT)[0]["outcome"] == "signed"
    cli.ok("agents", "add", "second", "--account", "treasury", "--max-value-eth", "1",
           "--daily-limit-eth", "1", "--allow-to", "any", "--chains", "base")  # fmt: skip
    cli.ok("keys", "provision", "keys/base-signer", "--agent", "second")
    cli.ok("agents", "update", "second", "--daily-limit-eth", "2")
    cli.ok("agents", "deactivate", "second")
    cli.ok("chains", "update", "base", "--max-fee-gwei", "2")
    cli.ok("settings", "set", "simulation.required", "always")
    for words in (
        "agents list",
        "agents show second",
        "keys list",
        "intents list",
        "chains list",
        "settings get",
        "ledger verify",
        "ledger head",
        "signed",
    ):
        cli.ok(*words.split(), "--json")
    assert cli.ok("ledger", "sql", "SELECT count() FROM ledger", "--json").json["rows"][0][0] > 0
    cli.ok("ledger", "export", str(tmp_path / "rows.csv"))
    assert stopped(up, signal.SIGTERM) == 0
    assert not (cli.data / "sixgate.sock").exists()
    assert cli.ok("settings", "get", "simulation.required").out.strip() == "always"


def test_a_client_of_up_does_not_load_the_engine(upheld: InProcess) -> None:
    ended = upheld.processes.run("keys", "list", more={"PYTHONPROFILEIMPORTTIME": "1"})
    assert ended.code == 0
    loaded = ended.err
    assert "sixgate.remote_calls.unix_link" in loaded
    assert "chdb" not in loaded
    assert "sixgate.services.embedded.node" not in loaded


def test_a_command_without_clients_does_not_load_the_server(organisation: InProcess) -> None:
    ended = organisation.processes.run("keys", "list", more={"PYTHONPROFILEIMPORTTIME": "1"})
    assert ended.code == 0
    assert "sixgate.services.embedded.node" in ended.err
    assert "uvicorn" not in ended.err


def test_a_second_up_is_refused(upheld: InProcess) -> None:
    second = upheld.run("up")
    assert second.code == 6
    assert f"another sixgate runs on {upheld.data}" in second.sentence
    assert upheld.ok("agents", "list").out


def test_up_waits_for_a_command_that_came_first_and_stops_cleanly(cli: InProcess) -> None:
    with Folder(cli.data).ownership_lock():
        running = cli.start("up")
        assert running.stderr
        assert f"Waiting for another command on {cli.data}" in running.stderr.readline()
        second = cli.run("up")  # while the first only waits
        assert second.code == 6
        assert f"another sixgate runs on {cli.data}" in second.sentence
    assert running.stderr.readline().startswith("Serving ")
    assert stopped(running, signal.SIGINT) == 0
    assert not (cli.data / "sixgate.sock").exists()


def test_a_waiting_up_can_be_stopped(cli: InProcess) -> None:
    with Folder(cli.data).ownership_lock():
        running = cli.start("up")
        assert running.stderr
        running.stderr.readline()
        assert stopped(running, signal.SIGINT) == 0


def test_up_stops_cleanly_under_a_query_that_still_runs(cli: InProcess) -> None:
    cli.submit(*[INTENT] * 20)
    running = cli.up()
    endless = "SELECT count() FROM ledger a, ledger b, ledger c, ledger d, ledger e, ledger f"
    body = json.dumps({"query": endless}).encode()
    with dial(Folder(cli.data).socket) as link:
        before_s = cpu_s(running.pid)
        link.sendall(request("POST", "/v1/operator/ledger/sql", body))
        until(lambda: cpu_s(running.pid) > before_s + QUERY_CPU_S)
        assert stopped(running, signal.SIGTERM) == 0


def cpu_s(pid: int) -> float:
    """Return how long a process has computed (proc_pid_stat(5): utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def test_a_folder_deleted_under_up_ends_it(cli: InProcess) -> None:
    running = cli.up()
    shutil.rmtree(cli.data.rename(cli.data.with_name("deleted")))  # gone at once, then bit by bit
    _, err = running.communicate(timeout=60)
    assert running.returncode == 5, err
    (sentence,) = (line for line in err.splitlines() if line.startswith("Error: "))
    assert f"{cli.data} was removed or replaced" in sentence


def test_after_a_killed_up_commands_work(cli: InProcess) -> None:
    running = cli.up()
    first = cli.submit(INTENT)
    stopped(running, signal.SIGKILL)
    assert (cli.data / "sixgate.sock").exists()
    second = cli.submit(INTENT)
    assert [r[0]["result"]["nonce"] for r in (first, second)] == [0, 1]
    cli.ok("ledger", "verify")


def test_without_a_folder_commands_name_sixgate_init(tmp_path: Path) -> None:
    cli = InProcess(tmp_path / "nothing")
    for words in ("up", "agents list", "ledger verify", "signed", "settings get"):
        ended = cli.run(*words.split())
        assert ended.code == 5
        assert "sixgate init" in ended.sentence


def test_the_data_option_works_before_and_after_the_command(
    upheld: InProcess, tmp_path: Path
) -> None:
    other = InProcess(tmp_path / "nothing")
    assert other.run("--data", str(upheld.data), "keys", "list", "--json").json
    assert other.run("keys", "list", "--json", "--data", str(upheld.data)).json
    assert other.run("keys", "list").code == 5


@pytest.mark.parametrize("name", ["inbox.db", "pipeline.db", "trust.json"])
def test_a_damaged_file_is_named(cli: InProcess, name: str) -> None:
    cli.submit(INTENT)
    path = cli.data / name
    path.write_bytes(os.urandom(path.stat().st_size))
    ended = cli.run("intents", "list")
    assert ended.code in (5, 7)
    assert name in ended.sentence


def test_an_older_state_halts(cli: InProcess, tmp_path: Path) -> None:
    yesterday = cli.copy(tmp_path / "yesterday")
    cli.submit(INTENT)
    for path in cli.data.glob("pipeline.db*"):
        path.unlink()
    for path in yesterday.data.glob("pipeline.db*"):
        (cli.data / path.name).write_bytes(path.read_bytes())
    ended = cli.run("submit", "-", stdin="{}")
    assert ended.code == 2
    ended = cli.run("agents", "list")
    assert ended.code == 7
    assert ended.sentence


def obey_permissions() -> None:
    """Let even root obey the permission bits, in a child (capabilities(7), PR_CAPBSET_DROP)."""
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def test_a_read_only_folder_fails_without_damage(cli: InProcess) -> None:
    everything = [cli.data, *cli.data.rglob("*")]
    for path in everything:
        path.chmod(0o500 if path.is_dir() else 0o400)
    ended = cli.processes.run_after(obey_permissions, "submit", "-", stdin=json.dumps(INTENT))
    made = CommandLine(cli.data / "new").run_after(obey_permissions, "init", "--org", "acme")
    for path in everything:
        path.chmod(0o700 if path.is_dir() else 0o600)
    assert (ended.code, bool(ended.sentence)) == (7, True)
    assert made.code == 5
    assert "Permission denied" in made.sentence
    cli.ok("ledger", "verify")


def test_a_full_disk_fails_without_damage(cli: InProcess) -> None:
    cli.submit(INTENT)

    def no_space() -> None:
        largest = max(path.stat().st_size for path in cli.data.glob("*.db*"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 65_536, resource.RLIM_INFINITY))

    many = "\n".join([json.dumps(INTENT | {"value": "0.001"})] * 200)
    ended = cli.processes.run_after(no_space, "submit", "-", stdin=many)
    assert ended.code == 7
    assert ended.sentence
    cli.ok("ledger", "verify")
    assert cli.submit(INTENT)[0]["outcome"] == "signed"


def test_a_key_that_others_can_read_is_not_used(cli: InProcess) -> None:
    (cli.data / "keys" / "agents" / "payroll.pem").chmod(0o644)
    ended = cli.run("submit", "-", stdin=json.dumps(INTENT))
    assert ended.code == 5
    assert "chmod 600" in ended.sentence


def test_malformed_requests_on_the_socket_get_errors(upheld: InProcess) -> None:
    for raw in (b"\x00\xff\n", b"{}\r\n\r\n", request("GET", "/v1/operator/_step")):
        assert b'"code":' in ask(Folder(upheld.data), raw)
    assert upheld.submit(INTENT)[0]["outcome"] == "signed"
