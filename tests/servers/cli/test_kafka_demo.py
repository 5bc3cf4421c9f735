"""The pipeline of ``make up``: the demo, commands and the README's clients on real servers."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

import sixgate
from tests.harness.broker.servers import start_or_skip, watched
from tests.harness.builders.waiting import until
from tests.harness.cli.command_line import Ended, InProcess
from tools.local.errors import ServerError
from tools.local.processes import WATCHED

ROOT = Path(sixgate.__file__).parents[1]
LINES = [json.loads(line) for line in (ROOT / "examples/intents.jsonl").read_text().splitlines()]
PRODUCER, CONSUMER = re.findall(
    r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL
)
SECONDS_MAX = 180
CONSUMER_RUNS = 3  # a run after a kill resumes at the group's position
CONSUMER_S_MAX = 60


class MadeUp:
    """What ``make up`` and ``make down`` run, in a folder of our own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def data(self) -> Path:
        return self.folder / "build" / "local"

    @property
    def config(self) -> Path:
        return self.data / "sixgate" / "sixgate.toml"

    def start(self) -> None:
        ended = self.run("up", "--processes")
        if ended.returncode:
            raise ServerError(ended.stderr)

    def stop(self) -> None:
        ended = self.run("down")
        assert ended.returncode == 0, ended.stderr

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("status").stdout)
        return found

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "tools.local", *words, "--data", str(self.data)],
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
            cwd=ROOT,
        )


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MadeUp]:
    folder = tmp_path_factory.mktemp("made-up")
    with watched(folder):
        found = start_or_skip(lambda: MadeUp(folder))
        yield found
        found.stop()
        assert found.status() == {}


def run(made_up: MadeUp, *words: str) -> Ended:
    """Run a command with ``SIXGATE_CONFIG`` set."""
    return InProcess(None).run(*words, more={"SIXGATE_CONFIG": str(made_up.config)})


@pytest.fixture(scope="module")
def show(made_up: MadeUp) -> dict[str, Any]:
    ended = InProcess(None).run("demo", "--kafka", "--json", "--config", str(made_up.config))
    assert ended.code == 0, ended.err + ended.out
    found: dict[str, Any] = ended.json
    return found


def test_the_demo_ends_on_kafka_as_it_does_in_a_folder(show: dict[str, Any]) -> None:
    assert show["as_expected"]
    assert [intent["ended"] for intent in show["intents"]] == [line["expect"] for line in LINES]
    assert len(LINES) == 37
    assert show["verified"]["forged"] == 0


@pytest.mark.usefixtures("show")
def test_the_demo_prints_the_same_tables(made_up: MadeUp) -> None:
    ended = run(made_up, "demo")
    assert ended.code == 0, ended.err
    assert "37 of 37 " in ended.out
    assert f"--config {made_up.config}" in ended.out


@pytest.mark.parametrize(
    "words",
    [
        ["agents", "list"],
        ["keys", "list"],
        ["chains", "list"],
        ["settings", "get"],
        ["services"],
        ["intents", "list"],
        ["signed"],
        ["ledger", "verify"],
        ["ledger", "head"],
        ["ledger", "sql", "SELECT count() FROM ledger"],
        ["agents", "deactivate", "intern"],
        ["publish"],
    ],
    ids=" ".join,
)
def test_commands_work_unchanged(
    made_up: MadeUp, show: dict[str, Any], words: Sequence[str]
) -> None:
    assert show
    ended = run(made_up, *words)
    assert ended.code == 0, ended.err
    assert ended.out or ended.err


@pytest.mark.parametrize("name", WATCHED)
def test_every_process_answers_a_probe(made_up: MadeUp, name: str) -> None:
    url = made_up.status()[name]["address"]
    ended = run(made_up, "probe", "--url", url)
    assert (ended.code, url.removeprefix("http://") in ended.out) == (0, True), ended.out


def lag_at(url: str) -> float:
    with urllib.request.urlopen(f"{url}/metrics", timeout=SECONDS_MAX) as answer:  # noqa: S310
        page = answer.read().decode()
    lags = re.findall(r"(?m)^sixgate_lag_records\{.*\} (\S+)$", page)
    assert lags
    return sum(map(float, lags))


@pytest.mark.usefixtures("show")
@pytest.mark.parametrize("name", WATCHED)
def test_an_idle_process_has_no_lag(made_up: MadeUp, name: str) -> None:
    url = made_up.status()[name]["address"]
    until(lambda: lag_at(url) == 0)


def test_up_is_refused_on_kafka(made_up: MadeUp) -> None:
    ended = run(made_up, "up")
    assert ended.code == 2
    assert "sixgate gates" in ended.sentence


def test_a_settings_file_without_brokers_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "sixgate.toml"
    config.write_text('data = "nowhere"\n')
    ended = InProcess(None).run("agents", "list", "--config", str(config))
    assert (ended.code, "[kafka]" in ended.sentence) == (2, True)


def clients(made_up: MadeUp) -> dict[str, str]:
    (signer,) = [one for one in run(made_up, "services", "--json").json if one["role"] == "signer"]
    known = {"KAFKA": made_up.status()["kafka"]["address"], "SIGNER_KEY": signer["public_key"]}
    return {name: value for name, value in os.environ.items() if "SIXGATE" not in name} | known


def test_the_clients_in_the_readme_run_unchanged(made_up: MadeUp, show: dict[str, Any]) -> None:
    environment = clients(made_up)
    # A repetition has the outcome of the first, with a digest instead of the signed bytes.
    results = [intent["result"] for intent in show["intents"] if not intent["repeated"]]
    signed = {one.get("raw_transaction", one.get("message_signature")) for one in results} - {None}
    sent = subprocess.run(
        [sys.executable, "-W", "ignore::ResourceWarning", "-c", PRODUCER],
        capture_output=True,
        text=True,
        env=environment,
        cwd=made_up.folder,
        timeout=60,
        check=False,
    )
    assert sent.returncode == 0, sent.stderr
    newest = _newest_value(made_up)
    assert sent.stdout.strip() == newest["raw_transaction"]
    missing = signed | {newest["raw_transaction"]}
    for _ in range(CONSUMER_RUNS):
        missing -= set(_consumed(made_up, environment, missing))
    assert not missing, f"{len(missing)} signed transactions never reached the consumer"


def _consumed(made_up: MadeUp, environment: dict[str, str], wanted: set[str]) -> Iterator[str]:
    """Yield the lines that one run of the README's consumer prints, until it has all ``wanted``."""
    following = subprocess.Popen(
        [sys.executable, "-c", CONSUMER],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=made_up.folder,
    )
    ending = Timer(CONSUMER_S_MAX, following.kill)
    ending.start()
    try:
        assert following.stdout
        while wanted and (line := following.stdout.readline().strip()):
            assert line.startswith("0x"), line
            wanted = wanted - {line}
            yield line
    finally:
        ending.cancel()
        following.kill()
        following.communicate()


def _newest_value(made_up: MadeUp) -> dict[str, Any]:
    """Return the transaction that the README's producer asked for, once it is signed."""
    found = InProcess(None).start("signed", "--follow", "--json", "--config", str(made_up.config))
    try:
        assert found.stdout
        for line in found.stdout:
            event: dict[str, Any] = json.loads(line)["event"]
            if event.get("value_wei") == str(10**15):
                return event
    finally:
        found.kill()
        found.communicate()
    raise AssertionError("it ended before")


def test_starting_running_servers_changes_nothing(made_up: MadeUp) -> None:
    before = made_up.status()
    made_up.start()
    assert made_up.status() == before
