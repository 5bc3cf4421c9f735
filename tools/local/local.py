"""The servers of one folder, and Sixgate's processes on them."""

from pathlib import Path
from typing import NamedTuple

from tools.local.clickhouse import ClickHouse
from tools.local.kafka import Kafka
from tools.local.processes import ORG, Processes
from tools.local.roles import USERS, Roles


class Local(NamedTuple):
    """Kafka, ClickHouse and, optionally, an organisation's processes."""

    kafka: Kafka
    clickhouse: ClickHouse
    processes: Processes | None

    def start(self) -> None:
        """Start everything that does not run, servers first."""
        self.kafka.start()
        self.clickhouse.start()
        if self.processes:
            self.processes.initialise()
            self.processes.start()

    def stop(self) -> None:
        """Stop everything, processes first."""
        if self.processes:
            self.processes.stop()
        self.kafka.stop()
        self.clickhouse.stop()


def local_in(
    data: Path, users: Path | None = None, *, processes: bool = True, org: str = ORG
) -> Local:
    """Return the servers of a folder, not started; with processes ClickHouse has passwords."""
    kafka = Kafka(data / "kafka")
    if not processes:
        return Local(kafka, ClickHouse(data / "clickhouse", users=users), None)
    roles = Roles(data / "passwords.json")
    environment = roles.for_server
    clickhouse = ClickHouse(data / "clickhouse", users=users or USERS, environment=environment)
    sixgate = Processes(data / "sixgate", (kafka.address, clickhouse.port), roles, org)
    return Local(kafka, clickhouse, sixgate)
