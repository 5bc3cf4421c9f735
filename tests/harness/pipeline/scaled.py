"""The scaled pipeline: real processes on a real broker; start, kill and independent checks."""

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import TypeAlias
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from schemas.record import Outgoing
from schemas.registry.policy import Policy
from schemas.registry.records import Entry
from schemas.topics import Topic
from signer.core.errors import RegistryRecordError
from signer.core.registry.registry import Registry
from signer.custody.event_signing import Ed25519Signer
from sixgate.authoring.operator import record_envelope
from sixgate.clocks import wall_ms
from sixgate.data_folder.folder import LEDGER, Folder
from streams.kafka.broker import Broker
from streams.kafka.names import Names
from streams.kafka.producer import Sender
from streams.kafka.provision import TopicPlan
from streams.kafka.topics import Replication
from streams.log.sqlite import SqliteLog
from tests.harness.broker.ledger_servers import DATABASE, password
from tests.harness.broker.raw_records import Raw, records_on
from tests.harness.broker.shared import own_database, own_names, shared_clickhouse, shared_kafka
from tests.harness.builders.waiting import until
from tests.harness.cli.forked import fork
from tests.harness.judge.promises import TopicContents, Values, read
from tests.harness.pipeline.embedded import POLICY, make_folder
from tools.local.clickhouse import ClickHouse as LocalServer
from tools.local.kafka import Kafka
from tools.local.ports import HOST, free_port

SETTLE_S_MAX = 120
CATCH_UP_S_MAX = 3_600
ONE_COPY = Replication(1, 1)
LOOK_S = 0.5
COMMANDS = {
    "registrar": ["registrar"],
    "gates": ["gates"],
    "signer": ["signer"],
    "ledger": ["ledger", "run"],
}
# No intent needs these.
EVERY = COMMANDS | {name: [name] for name in ("custody", "gateway", "desk")}
NEED_HEADS = ("signer", "gates", "custody", "gateway", "desk")
HEAD_REQUIRED = tuple(f"SIXGATE_{name.upper()}__HEAD_REQUIRED" for name in NEED_HEADS)
Metrics: TypeAlias = dict[str, dict[tuple[str, ...], float]]
USERS = {
    "registrar": "ledger_reader",
    "gates": "ledger_reader",
    "signer": "ledger_reader",
    "ledger": "ledger_writer",
    "custody": "ledger_reader",
    "gateway": "ledger_reader",
    "desk": "ledger_reader",
}

EXPECTED = (b'"action":"kms.call"', b'"operation":"sign"')
"""Audit actions of every signature."""


@dataclass
class Scaled:
    """One organisation on Kafka; its processes are started and killed by name.

    Processes started before a registrar need no registry head.
    """

    folder: Folder
    servers: str
    server: LocalServer | None = None
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    aside: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    has_registrar: bool = False
    began_at_byte: dict[str, int] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=lambda: {name: free_port() for name in EVERY})
    replication: Replication = ONE_COPY
    doors: dict[str, str] = field(
        default_factory=dict
    )  # processes that use another address of Kafka, such as a proxy
    more: dict[str, str] = field(default_factory=dict)  # further settings of a process
    started_again: Collection[int] = ()  # exit codes after which a supervisor restarts a process
    prefix: str = ""  # of every name on Kafka, where the broker is shared
    database: str = DATABASE  # the ledger's database on a shared server

    @property
    def names(self) -> list[str]:
        """Return the names of this organisation's processes."""
        return [name for name in COMMANDS if name != "ledger" or self.server]

    @property
    def broker(self) -> Broker:
        return Broker(self.servers, "tests", names=Names(self.prefix))

    def set_up(self) -> None:
        """Create the topics and publish the folder's registry and key requests."""
        trust = self.folder.trust()
        asyncio.run(TopicPlan(trust.partitions, self.replication).apply(self.broker))
        inbox = SqliteLog(self.folder.inbox, trust.partitions)
        for topic in (Topic.REGISTRY, Topic.KEY_REQUESTS):
            for partition in range(inbox.partitions_of(topic)):
                records = inbox.scan(topic, partition)
                self.send([Outgoing(r.topic, r.key, r.value) for r in records])
        inbox.close()

    def send(self, records: Sequence[Outgoing]) -> None:
        async def sent() -> None:
            async with Sender(self.broker, lambda: self.folder.trust().partitions) as sender:
                await sender.send(records)

        asyncio.run(sent())

    def start(self, name: str) -> None:
        """Start one of ``EVERY``; start ``registrar`` before the processes that need heads."""
        self.has_registrar |= name == "registrar"
        config = self.folder.path / f"{name}-{self.ports[name]}.toml"
        copies, in_sync = self.replication.factor, self.replication.in_sync
        servers = self.doors.get(name, self.servers)
        kafka = f'[kafka]\nservers = "{servers}"\ncopies = {copies}\nin_sync = {in_sync}\n'
        kafka += f'prefix = "{self.prefix}"\n'
        kafka += "insecure_dev = true\n[kms]\ninsecure_dev = true\n"
        kafka += '[attestation]\nplatform = "simulated"\ninsecure_dev = true\n'
        monitor = f"[monitor]\nport = {self.ports[name]}\n"
        config.write_text(
            f'data = "{self.folder.path}"\n{kafka}{monitor}{self._ledger(name)}'
            f"{self.more.get(name, '')}"
        )
        env = os.environ | {"SIXGATE_CLICKHOUSE__PASSWORD": password(USERS[name])}
        if not self.has_registrar:
            env |= dict.fromkeys(HEAD_REQUIRED, "false")
        words = [*EVERY[name], "--config", str(config)]
        with (self.folder.path / f"{name}.log").open("ab") as log:
            self.began_at_byte[name] = log.tell()
            self.processes[name] = fork(*words, out=log, env=env, clock=self._clock(name))

    def set_clock(self, name: str, wrong_s: float) -> None:
        """Shift the wall clock of a process from now on, running or not."""
        draft = self._clock(name).with_suffix(".draft")
        draft.write_text(str(wrong_s))
        draft.replace(self._clock(name))

    def _clock(self, name: str) -> Path:
        return self.folder.path / f"{name}.clock"

    def start_all(self) -> None:
        """Start every process and wait until all are ready."""
        for name in self.names:
            self.start(name)
        for name in self.names:
            self.await_ready(name)

    def stop_all(self) -> None:
        """Stop every process; each must end with the exit code of a normal stop."""
        for name in list(self.processes):
            self.stop(name)

    def _ledger(self, name: str) -> str:
        """Return a process's settings for the ledger; without a server the signer queries none."""
        if self.server is None:
            return "[clickhouse]\nport = 1\n[signer]\nledger_required = false\n"
        folder = self.folder
        return (
            f'[clickhouse]\nport = {self.server.port}\nuser = "{USERS[name]}"\n'
            f'database = "{self.database}"\n'
            f'[ledger]\norg = "acme"\nkey = "{folder.key(LEDGER)}"\nheads = "{folder.heads}"\n'
        )

    def set_aside(self, name: str) -> "subprocess.Popen[bytes]":
        """Keep a process running beside the next one of its name, which gets another port."""
        process = self.processes.pop(name)
        self.aside.append(process)
        self.ports[name] = free_port()
        return process

    def put_back(self, name: str, process: "subprocess.Popen[bytes]", port: int) -> None:
        """Restore a process that was set aside as the one of its name."""
        self.aside.remove(process)
        self.processes[name], self.ports[name] = process, port

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        assert process.wait() == -signal.SIGKILL, self.log(name)

    def stop(self, name: str) -> None:
        """Stop a process as an operator would; it handles signals once it serves metrics."""
        process = self.processes.pop(name)
        until(lambda: process.poll() is not None or listens(self.ports[name]), SETTLE_S_MAX)
        process.terminate()
        assert process.wait(SETTLE_S_MAX) == 0, self.log(name)

    def run_to_end(self, name: str) -> int:
        """Start a process that ends without a signal; return its exit code."""
        self.start(name)
        code = self.processes[name].wait(SETTLE_S_MAX)
        del self.processes[name]
        return code

    def log(self, name: str) -> str:
        """Return the end of the log of a process's last run."""
        said = (self.folder.path / f"{name}.log").read_bytes()[self.began_at_byte[name] :]
        return said.decode()[-4_000:]

    def close(self) -> None:
        for process in [*self.processes.values(), *self.aside]:
            process.kill()
            process.wait()

    def url(self, name: str) -> str:
        """Return the URL of a process's metrics."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def metrics(self, name: str) -> "Metrics":
        """Return every sample of a process by name and labels, without the label ``process``."""
        with urlopen(f"{self.url(name)}/metrics", timeout=10) as answer:  # noqa: S310 - our own
            families = text_string_to_metric_families(answer.read().decode())
        samples = [sample for family in families for sample in family.samples]
        assert {sample.labels["process"] for sample in samples} == {name}
        found: Metrics = defaultdict(dict)
        for sample in samples:
            labels = tuple(value for label, value in sample.labels.items() if label != "process")
            found[sample.name][labels] = sample.value
        return found

    def await_ready(self, name: str) -> None:
        ends_at_s = time.monotonic() + SETTLE_S_MAX
        while not ready(self.ports[name]):
            self._refuse_end(name)
            assert time.monotonic() < ends_at_s, self.log(name)
            time.sleep(LOOK_S / 5)

    def await_caught_up(self, *names: str) -> None:
        """Wait until some processes have no lag. This is cheap; ``settle`` reads every topic."""
        ends_at_s = time.monotonic() + CATCH_UP_S_MAX
        while not all(self._caught_up(name) for name in names):
            assert time.monotonic() < ends_at_s, "they do not catch up"
            time.sleep(LOOK_S)

    def _caught_up(self, name: str) -> bool:
        """Return whether a process has no lag; a process that restarts has not caught up."""
        self._refuse_end(name)
        try:
            return not any(self.metrics(name)["sixgate_lag_records"].values())
        except (OSError, HTTPException):  # it ends, or the response is cut
            return False

    def _refuse_end(self, name: str) -> None:
        ended = self.processes[name].poll()
        assert ended is None or ended in self.started_again, f"{name}: {self.log(name)}"

    def register(self, entry: Entry) -> None:
        """Append a registry record as an operator would."""
        registry = self.registry()
        after = (registry.record_count, registry.last_digest)
        raw, _ = record_envelope(self.folder.admin(), registry.org, after, entry, wall_ms())
        self.send([Outgoing(Topic.REGISTRY, "", raw)])

    def registry(self) -> Registry:
        """Return the current registry."""
        registry = Registry(self.folder.trust().trust_root)
        for raw in on_kafka(self.broker)(Topic.REGISTRY):
            with suppress(RegistryRecordError):
                registry.apply(raw)
        return registry

    def audit(self) -> list[bytes]:
        """Return the audit actions, without KMS calls and accesses to signing keys."""
        records = on_kafka(self.broker)(Topic.AUDIT)
        return [raw for raw in records if not any(each in raw for each in EXPECTED)]

    def contents(self) -> TopicContents:
        return read(on_kafka(self.broker))

    def settle(self, done: Callable[[TopicContents], bool]) -> TopicContents:
        """Wait until ``done`` returns true for the topics' contents."""
        ends_at_s = time.monotonic() + SETTLE_S_MAX
        while not done(found := self.contents()):
            for name in list(self.processes):
                self._refuse_end(name)
            assert time.monotonic() < ends_at_s, f"{len(found.outcomes)} of {len(found.intents)}"
            time.sleep(LOOK_S)
        return found


def listens(port: int) -> bool:
    """Return whether a port accepts connections."""
    with closing(socket.socket()) as link:
        return link.connect_ex((HOST, port)) == 0


def ready(port: int) -> bool:
    """Return whether the process with metrics on this port is ready."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False


@contextmanager
def organisation(
    path: Path, agents: list[Ed25519Signer], policy: Policy = POLICY
) -> Iterator[Scaled]:
    """Yield an organisation with unique names on the worker's servers, not yet started."""
    kafka = shared_kafka()
    with (
        own_names(kafka) as names,
        organisation_on(kafka, path, agents, policy, names.prefix) as scaled,
    ):
        yield scaled


@contextmanager
def organisation_on(
    kafka: Kafka,
    path: Path,
    agents: list[Ed25519Signer],
    policy: Policy = POLICY,
    prefix: str = "",
) -> Iterator[Scaled]:
    """Yield an organisation on a cluster, with its ledger on the worker's ClickHouse server."""
    nodes = len(kafka.nodes)
    copies = Replication(min(3, nodes), max(1, min(3, nodes) - 1))
    folder = make_folder(path / "data", agents, policy)
    with own_database() as database:
        server = shared_clickhouse()
        scaled = Scaled(
            folder, kafka.address, server, replication=copies, prefix=prefix, database=database
        )
        with closing(scaled):
            scaled.set_up()
            yield scaled


@contextmanager
def without_ledger(folder: Folder) -> Iterator[Scaled]:
    """Publish a folder's organisation on the worker's broker, without a ledger, not yet started."""
    kafka = shared_kafka()
    with (
        own_names(kafka) as names,
        closing(Scaled(folder, kafka.address, prefix=names.prefix)) as scaled,
    ):
        scaled.set_up()
        yield scaled


def all_ended(found: TopicContents) -> bool:
    """Return whether every intent has its outcome and every other input its event."""
    return found.ended() >= set(found.intents) and found.strangers_ended()


def on_kafka(broker: Broker | str, isolation: str = "read_committed") -> Values:
    """Return a function that reads a topic's values from Kafka, by partition and offset.

    A broker given as an address has topics without a prefix.
    """

    def values(topic: str) -> list[bytes]:
        return [value for _, _, value in raw_records(broker, topic, isolation)]

    return values


def raw_records(broker: Broker | str, topic: str, isolation: str = "read_committed") -> list[Raw]:
    """Return a topic's records with partition and key, by partition and offset."""
    servers, names = (
        (broker, Names()) if isinstance(broker, str) else (broker.servers, broker.names)
    )
    return asyncio.run(records_on(servers, names.of(topic), isolation))
