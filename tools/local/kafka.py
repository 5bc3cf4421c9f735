"""Apache Kafka in KRaft mode: one broker or a small cluster, plain or with mutual TLS and ACLs."""

import json
import secrets
import shutil
import socket
import ssl
import struct
import subprocess
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tools.local.certificates import client_context
from tools.local.errors import ServerError
from tools.local.fetch import kafka_jars, tool
from tools.local.ports import HOST, free_port
from tools.local.server import Server

BROKER, ADMIN = "broker", "admin"
FORMAT_S_MAX = 60
ANSWER_S_MAX = 2
COORDINATED = 4
META, CHECKPOINT = "meta.properties", "bootstrap.checkpoint"
_JVM = (
    "-Xms512m",
    "-Xmx512m",
    "-XX:MaxDirectMemorySize=256m",
    # Full compilation does not pay off in a broker that runs for minutes, and it takes CPU time.
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
)
# Metadata version 1 for no topic: length, api, version, correlation, no client id, empty list.
_WHICH_BROKERS = struct.pack(">ihhihi", 14, 3, 1, 0, -1, 0)


@dataclass(frozen=True, slots=True)
class Identities:
    """PEM files for mutual TLS: CA, brokers (super user) and admin."""

    authority: Path
    broker: Path
    admin: Path


class Kafka:
    """A cluster whose ports and data are kept in its folder."""

    def __init__(
        self, folder: Path, *, nodes: int = 1, identities: Identities | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._identities = identities
        self._ports = _ports(folder / "ports.json", nodes)
        self.cluster = _cluster_id(folder / "cluster-id")
        self.nodes = [self._node(folder / f"kafka-{i}", i) for i in range(1, nodes + 1)]

    @property
    def address(self) -> str:
        """Return the bootstrap servers."""
        return ",".join(f"{HOST}:{client}" for client, _ in self._ports)

    def start(self) -> None:
        """Start the nodes that do not run; wait until every node knows all brokers."""
        for node in self.nodes:
            self._format(node.folder)
            node.launch()
        for node in self.nodes:
            node.await_answer()

    def stop(self) -> None:
        """Stop all nodes at the same time: a single one would wait for a quorum that is gone."""
        for node in self.nodes:
            node.ask_to_stop()
        for node in self.nodes:
            node.stop()

    def kill(self) -> None:
        """Kill all nodes with SIGKILL."""
        for node in self.nodes:
            node.kill()

    def restart(self) -> None:
        """Stop the cluster and start it again."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze all nodes (SIGSTOP)."""
        for node in self.nodes:
            node.pause()

    def resume(self) -> None:
        """Resume frozen nodes (SIGCONT)."""
        for node in self.nodes:
            node.resume()

    def _node(self, folder: Path, number: int) -> Server:
        folder.mkdir(exist_ok=True)
        settings = _settings(folder, number, self._ports, self._identities)
        (folder / "server.properties").write_text(
            "".join(f"{name}={value}\n" for name, value in settings.items())
        )
        port = self._ports[number - 1][0]
        answers = partial(_knows_brokers, port, len(self._ports), self._identities)
        return self._server(folder, answers)

    def _server(self, folder: Path, answers: Callable[[], bool]) -> Server:
        return Server(folder, [*_java(*_JVM), "kafka.Kafka", properties(folder)], answers)

    def _format(self, folder: Path) -> None:
        """Format a node's folder, with a cached copy of the bootstrap checkpoint if there is one.

        Kafka's tool writes the first one. A checkpoint holds the features of this version and names
        neither cluster nor node, so other folders get a copy.
        """
        data, cached = folder / "data", kafka_jars() / CHECKPOINT
        if (data / META).exists():
            return
        if not cached.exists():
            self._format_by_tool(folder)
            draft = cached.with_name(f"{CHECKPOINT}-{secrets.token_hex(8)}")
            shutil.copy(data / CHECKPOINT, draft)
            draft.replace(cached)
            return
        data.mkdir(exist_ok=True)
        shutil.copy(cached, data / CHECKPOINT)
        number, directory = folder.name.rpartition("-")[2], _random_id()
        # META comes last and atomically: its existence means that the node is formatted.
        draft = folder / f"{META}.draft"
        draft.write_text(
            f"version=1\ncluster.id={self.cluster}\nnode.id={number}\ndirectory.id={directory}\n"
        )
        draft.replace(data / META)

    def _format_by_tool(self, folder: Path) -> None:
        command = [*_java("-Xmx128m"), "kafka.tools.StorageTool", "format"]
        ended = subprocess.run(  # noqa: S603 - constant arguments
            [*command, "-t", self.cluster, "-c", properties(folder)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=FORMAT_S_MAX,
        )
        if ended.returncode:
            (folder / "server.log").write_bytes(ended.stdout + ended.stderr)
            raise ServerError(f"Kafka could not format its folder: see {folder / 'server.log'}.")


def _java(*options: str) -> list[str]:
    return [tool("java"), *options, "-cp", f"{kafka_jars()}/*"]


def properties(folder: Path) -> str:
    """Return the path of a node's settings file."""
    return str(folder / "server.properties")


def _ports(file: Path, nodes: int) -> list[tuple[int, int]]:
    """Return each node's ports for clients and quorum; they are the same at every start."""
    if not file.exists():
        file.write_text(json.dumps([(free_port(), free_port()) for _ in range(nodes)]))
    found = [(client, controller) for client, controller in json.loads(file.read_bytes())]
    if len(found) != nodes:
        raise ServerError(
            f"{file.parent} holds {len(found)} nodes, not {nodes}: use another folder."
        )
    return found


def _cluster_id(file: Path) -> str:
    if not file.exists():
        file.write_text(_random_id())
    return file.read_text()


def _random_id() -> str:
    """Return a random id in Kafka's encoding, outside its reserved ids."""
    return urlsafe_b64encode(b"\x01" + secrets.token_bytes(15)).decode().rstrip("=")


def _settings(
    folder: Path, number: int, ports: list[tuple[int, int]], identities: Identities | None
) -> Mapping[str, object]:
    client, controller = ports[number - 1]
    copies = min(3, len(ports))
    in_sync = max(1, copies - 1)
    voters = ",".join(f"{i}@{HOST}:{quorum}" for i, (_, quorum) in enumerate(ports, 1))
    protocol = "SSL" if identities else "PLAINTEXT"
    return {
        "process.roles": "broker,controller",
        "node.id": number,
        "controller.quorum.voters": voters,
        "listeners": f"CLIENT://{HOST}:{client},CONTROLLER://{HOST}:{controller}",
        "listener.security.protocol.map": f"CLIENT:{protocol},CONTROLLER:{protocol}",
        "inter.broker.listener.name": "CLIENT",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": folder / "data",
        "auto.create.topics.enable": "false",
        "unclean.leader.election.enable": "false",
        "default.replication.factor": copies,
        "min.insync.replicas": in_sync,
        # Kafka's 50 of each cost a fresh broker more than all topics of an organisation.
        "offsets.topic.num.partitions": COORDINATED,
        "transaction.state.log.num.partitions": COORDINATED,
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": in_sync,
        "group.initial.rebalance.delay.ms": 0,
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
        **(_mutual_tls(identities) if identities else {}),
    }


def _mutual_tls(identities: Identities) -> Mapping[str, object]:
    return {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": identities.broker,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": identities.authority,
        "ssl.client.auth": "required",
        "ssl.enabled.protocols": "TLSv1.3",
        "ssl.protocol": "TLSv1.3",
        "ssl.principal.mapping.rules": r"RULE:^CN=([a-z0-9._-]+),OU=kafka$/$1/,DEFAULT",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        "super.users": f"User:{BROKER};User:{ADMIN}",
    }


def _knows_brokers(port: int, brokers: int, identities: Identities | None) -> bool:
    """Tell whether a node answers a metadata request with the expected number of brokers."""
    try:
        with closing(_connected(port, identities)) as connection:
            connection.sendall(_WHICH_BROKERS)
            _length, _correlation, found = struct.unpack(">iii", _exactly(connection, 12))
    except (OSError, EOFError):
        return False
    return bool(found == brokers)


def _connected(port: int, identities: Identities | None) -> socket.socket | ssl.SSLSocket:
    connection = socket.create_connection((HOST, port), timeout=ANSWER_S_MAX)
    if not identities:
        return connection
    context = client_context(identities.authority, identities.admin)
    try:
        return context.wrap_socket(connection, server_hostname=HOST)
    except OSError:
        connection.close()
        raise


def _exactly(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        if not (part := connection.recv(size - len(found))):
            raise EOFError
        found += part
    return found
