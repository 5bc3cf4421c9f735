"""An organisation on the worker's servers with the real processes, as ``make up`` starts them."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from signer.custody.event_signing import Ed25519Signer
from sixgate.config.process_settings import Settings, load_settings
from sixgate.data_folder.folder import Folder
from tests.harness.broker.ledger_servers import ROLES, password
from tests.harness.broker.servers import running
from tests.harness.broker.shared import own_database, own_names, shared_clickhouse, shared_kafka
from tests.harness.pipeline.embedded import make_folder
from tools.local.processes import Processes
from tools.local.roles import Roles


class ScaledOrganisation(NamedTuple):
    """One organisation; operator, agents and processes share its folder."""

    processes: Processes
    folder: Folder
    settings: Settings


class _Started(NamedTuple):
    """Processes whose topics and registry are published before they start."""

    processes: Processes

    def start(self) -> None:
        self.processes.initialise()
        self.processes.start()

    def stop(self) -> None:
        self.processes.stop()


@contextmanager
def scaled_organisation(
    path: Path, agents: Sequence[Ed25519Signer]
) -> Iterator[ScaledOrganisation]:
    """Start every process of a new organisation; all end with the block."""
    kafka, server = shared_kafka(), shared_clickhouse()
    known = path / "passwords.json"
    known.write_text(json.dumps({role: password(role) for role in ROLES}))
    with own_names(kafka) as names, own_database() as database:
        where = (kafka.address, server.port)
        own = {"prefix": names.prefix, "database": database}
        processes = Processes(path / "sixgate", where, Roles(known), "acme", **own)
        folder = make_folder(processes.data, agents)
        with running(lambda: _Started(processes), path):
            yield ScaledOrganisation(processes, folder, load_settings(processes.config))
