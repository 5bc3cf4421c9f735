"""An organisation on real servers with the real processes, as ``make up`` starts them."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from infra.local.local import Local, local_in
from infra.local.processes import Processes
from signer.signatures import Ed25519Signer
from sixgate.data_folder.folder import Folder
from sixgate.scaled.settings import Settings, load_settings
from tests.harness.broker.servers import running
from tests.harness.pipeline.embedded import make_folder


class World(NamedTuple):
    """One organisation; its folder is the operator's, the agents' and the processes'."""

    local: Local
    processes: Processes
    folder: Folder
    settings: Settings


@contextmanager
def scaled_world(path: Path, agents: Sequence[Ed25519Signer]) -> Iterator[World]:
    """Start everything around an organisation of ours; all of it ends with the block."""
    local = local_in(path, org="acme")
    assert local.processes
    folder = make_folder(local.processes.data, agents)
    try:
        with running(lambda: local, path):
            settings = load_settings(local.processes.config)
            yield World(local, local.processes, folder, settings)
    finally:
        shutil.rmtree(path / "kafka", ignore_errors=True)
