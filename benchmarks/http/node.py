"""A node with the HTTP API in a process of its own, as the front page starts it."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sixgate_client import Client

from benchmarks.fixtures import RECIPIENT

COMMAND = (sys.executable, "-m", "sixgate")
BODY = {"chain": "base", "to": RECIPIENT, "value": "0.0001"}
_SUBMITTERS = 8
_FIN_WAIT_1 = "04"  # the state in /proc/net/tcp
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_USER_TICKS, _SYSTEM_TICKS = 11, 12  # fields of /proc/PID/stat after the name


@dataclass(frozen=True)
class HttpNode:
    """A running node; ``transactions`` are replies about signed ones of its agent."""

    url: str
    pid: int
    person_key: str
    agent_key: str
    agent: str
    transactions: list[dict[str, Any]]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def cpu_s(self) -> float:
        return cpu_s(self.pid)


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process has used, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS])) / _TICKS_PER_S


def cut_off_count(port: int) -> int:
    """Return how many connections the server has closed that still have data to deliver."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == _FIN_WAIT_1 for row in rows)


_RATE = '{"per_minute": 100000000, "burst": 100000000}'
UNLIMITED = {
    "SIXGATE_API__LIMITS__AGENT_RATE": _RATE,
    "SIXGATE_API__LIMITS__PERSON_RATE": _RATE,
}
"""Settings without a rate of requests: a benchmark is one agent with many connections."""


@contextmanager
def running_node(
    path: Path, transactions: int, settings: Mapping[str, str] | None = None
) -> Iterator[HttpNode]:
    """Start a node on a new data folder with one agent and its signed transactions."""
    data = ("--data", str(path / "data"))
    _run("init", "--org", "bench", "--compatible", *data)
    person_key = _run("people", "add", "alice", *data).strip()
    command = [*COMMAND, "up", "--http", "127.0.0.1:0", *data]
    environment = os.environ | UNLIMITED | dict(settings or {})
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            serving = process.stderr.readline()
            assert serving.startswith("Serving "), serving
            url = serving.split(" and ")[1].split(";")[0]
            # A full pipe would stop the node.
            forwarding = threading.Thread(target=_forward, args=(process.stderr,), daemon=True)
            forwarding.start()
            agent, agent_key = _agent(url, person_key)
            signed = _signed(url, agent_key, transactions)
            yield HttpNode(url, process.pid, person_key, agent_key, agent, signed)
            process.terminate()
            forwarding.join()
        finally:
            process.terminate()


def headers_of(url: str, api_key: str) -> dict[str, str]:
    """Return the headers that authenticate the owner of an API key with a new token."""
    kind = "agent-token" if api_key.startswith("ocv_") else "api-key-token"
    reply = httpx.post(f"{url}/v1/auth/{kind}", json={"api_key": api_key})
    return {"Authorization": f"Bearer {reply.raise_for_status().json()['access_token']}"}


def _forward(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, end="", file=sys.stderr, flush=True)


def _agent(url: str, person_key: str) -> tuple[str, str]:
    with Client(url, api_key=person_key) as person:
        agent = person.create_agent(
            name="trader", intents_api_enabled=True, intents_per_minute="unlimited"
        )
        person.provision_signing_key("ethereum", agent_id=agent["id"])
        return agent["id"], agent["api_key"]


def _signed(url: str, agent_key: str, count: int) -> list[dict[str, Any]]:
    with Client(url, api_key=agent_key) as client, ThreadPoolExecutor(_SUBMITTERS) as pool:

        def submit(_number: int) -> dict[str, Any]:
            return dict(client.submit(chain=BODY["chain"], to=BODY["to"], value=BODY["value"]))

        return list(pool.map(submit, range(count)))


def _run(*words: str) -> str:
    ended = subprocess.run([*COMMAND, *words], stdout=subprocess.PIPE, text=True, check=True)
    return ended.stdout
