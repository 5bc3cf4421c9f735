"""Fixtures ``folder`` and ``trader`` for the embedded pipeline, and functions that run it once."""

import base64
import secrets
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.partition import partition_of
from schemas.record import Outgoing
from schemas.registry.records import Entry
from schemas.topics import Topic
from signer.core.registry.registry import Registry
from signer.custody.event_signing import Ed25519Signer
from sixgate.authoring import operator
from sixgate.data_folder.folder import Folder
from streams.log.pipeline import PipelineLog
from streams.log.sqlite import SqliteLog
from tests.harness.pipeline.embedded import ACCOUNT, Producer, make_folder, open_pipeline

HOME = partition_of(ACCOUNT, 4)


@pytest.fixture
def trader() -> Producer:
    return Producer(Ed25519Signer("trader", secrets.token_bytes(32)))


@pytest.fixture
def folder(tmp_path: Path, trader: Producer) -> Folder:
    return make_folder(tmp_path / "data", [trader.signer])


def ends(events: Sequence[Outgoing]) -> list[str]:
    """Return ``signed`` or the reason for each intent and input."""
    ended = [e for e in events if e.topic in (Topic.OUTCOMES, Topic.UNATTRIBUTED)]
    return [orjson.loads(event.value).get("reason", "signed") for event in ended]


def run_once(folder: Folder, *values: bytes) -> list[str]:
    """Open the pipeline, process the intents, close it."""
    pipeline = open_pipeline(folder)
    pipeline.submit(*values)
    found = ends(pipeline.drain())
    pipeline.close()
    return found


def nonces(events: Sequence[Outgoing]) -> list[int]:
    return [orjson.loads(e.value)["nonce"] for e in events if e.topic is Topic.SIGNED]


def outcomes(folder: Folder) -> list[dict[str, Any]]:
    with closing(SqliteLog(folder.pipeline, 4)) as log:
        return [orjson.loads(r.value) for r in log.read(Topic.OUTCOMES, HOME, 0, 10_000)]


def write(path: Path, statement: str, *values: object) -> None:
    """Change a database file outside the program."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(statement, values)


def registry_record(folder: Folder, registry: Registry, entry: Entry) -> bytes:
    chained = (registry.record_count, registry.last_digest)
    return operator.record_envelope(folder.admin(), "acme", chained, entry, 1)[0]


def submitted(value: bytes, key: str = ACCOUNT) -> dict[str, str]:
    return {"key": key, "value": base64.b64encode(value).decode()}


class Crash(Exception):  # noqa: N818 - stands for SIGKILL
    pass


class DiesBeforeSigning(PipelineLog):
    """Crashes when a batch's signed outcomes are about to be committed."""

    def commit(self, events: Sequence[Outgoing], writes: Sequence[Any], at_ms: int) -> None:
        if any(event.topic is Topic.OUTCOMES for event in events):
            raise Crash
        super().commit(events, writes, at_ms)
