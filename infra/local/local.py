"""Everything that runs in one folder: servers, and Sixgate's processes on them."""

from pathlib import Path
from typing import NamedTuple

from infra.local.clickhouse import ClickHouse
from infra.local.kafka import Kafka
from infra.local.processes import ORG, Processes
from infra.local.roles import USERS, Roles


class Local(NamedTuple):
    """Kafka, ClickHouse and, unless it is None, an organisation's processes."""

    kafka: Kafka
    clickhouse: ClickHouse
    processes: Processes | None

    def start(self) -> None:
        """Start what does not run; servers before those that need them."""
        self.kafka.start()
        self.clickhouse.start()
        if self.processes:
            self.processes.found()
            self.processes.start()

    def stop(self) -> None:
        """Stop all, in the other order."""
        if self.processes:
            self.processes.stop()
        self.kafka.stop()
        self.clickhouse.stop()


def local_in(
    data: Path, users: Path | None = None, *, processes: bool = True, org: str = ORG
) -> Local:
    """Return what a folder holds, not yet started; with processes users have passwords."""
    kafka = Kafka(data / "kafka")
    if not processes:
        return Local(kafka, ClickHouse(data / "clickhouse", users=users), None)
    roles = Roles(data / "passwords.json")
    users, more = users or USERS, roles.for_server
    clickhouse = ClickHouse(data / "clickhouse", users=users, more=more)
    sixgate = Processes(data / "sixgate", (kafka.address, clickhouse.port), roles, org)
    return Local(kafka, clickhouse, sixgate)
