"""A pipeline with two agents, and a projection of its log for reads."""

import secrets
import sqlite3
from pathlib import Path
from typing import Any

import orjson

from schemas.record import Outgoing, Record
from schemas.topics import Topic
from signer.core.registry.registered import Registered
from signer.custody.event_signing import Ed25519Signer
from sixgate.data_folder.folder import Folder
from sixgate.gateway.transaction_fold import parsed
from sixgate.gateway.transaction_store import Filter
from sixgate.gateway.transactions import Transactions
from sixgate.services.embedded.log_files import LogFiles
from tests.harness.pipeline.embedded import (
    Pipeline,
    Producer,
    make_folder,
    open_pipeline,
)

AGENTS = ("trader", "saver")


class FileVersions:
    """Asks both files of a log whether they changed."""

    def __init__(self, folder: Folder) -> None:
        paths = (folder.inbox, folder.pipeline)
        self._files = [sqlite3.connect(path, check_same_thread=False) for path in paths]

    def __call__(self) -> tuple[int, ...]:
        return tuple(one.execute("PRAGMA data_version").fetchone()[0] for one in self._files)

    def close(self) -> None:
        for one in self._files:
            one.close()


class ReadRig:
    """A pipeline, its agents and a projection of its log."""

    def __init__(self, path: Path) -> None:
        signers = [Ed25519Signer(name, secrets.token_bytes(32)) for name in AGENTS]
        self.folder = make_folder(path, signers)
        self.pipeline: Pipeline = open_pipeline(self.folder)
        self.trader, self.saver = (Producer(signer) for signer in signers)
        self.pipeline.drain()
        self.folder.gateway_files.mkdir(exist_ok=True)
        self.versions = FileVersions(self.folder)
        self.feed = LogFiles(self.folder, self.folder.trust().partitions, self.versions)
        self.transactions = self.opened()

    def opened(self, name: str = "reads.db") -> Transactions:
        return Transactions(self.folder.gateway_files / name, self.feed, self)

    @property
    def registered(self) -> Registered:
        """The registry of the pipeline: the rig is a ``RegistryRead``."""
        return self.pipeline.runner.slot.registry

    def refresh(self) -> None:
        """Do nothing: the registry is always current."""

    def reopen(self) -> None:
        self.transactions.close()
        self.transactions = self.opened()

    def submit(self, *values: bytes) -> list[str]:
        """Submit intents, let the pipeline decide them, and return their ids."""
        self.pipeline.submit(*values)
        self.pipeline.drain()
        return [id_of(value) for value in values]

    @property
    def current(self) -> Transactions:
        self.transactions.catch_up()
        return self.transactions

    def newest(self, agent: str = "trader", **filters: Any) -> list[dict[str, Any]]:
        page = self.current.newest(agent, 1000, Filter(**filters), include_signed_tx=True)
        return [orjson.loads(reply) for reply in page.replies]

    def reply(self, agent: str, name: str, *, signed: bool = False) -> dict[str, Any] | None:
        found = self.current.reply(agent, name, include_signed_tx=signed)
        return orjson.loads(found) if found else None

    def close(self) -> None:
        self.transactions.close()
        self.feed.close()
        self.versions.close()
        self.pipeline.close()


def id_of(value: bytes) -> str:
    return parsed(value).id


def outcomes(rig: ReadRig) -> list[Record]:
    partitions = range(rig.feed.partitions_of(Topic.OUTCOMES))
    return [r for p in partitions for r in rig.feed.read(Topic.OUTCOMES, p, 0, 10_000)]


def append_to_log(rig: ReadRig, *events: Outgoing) -> None:
    rig.pipeline.runner.pipeline.append(events, 0)
