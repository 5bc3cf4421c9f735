"""A folder with one trader in it, and how one life of its pipeline goes."""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.record import Outgoing
from schemas.topics import Topic
from signer.signatures import Ed25519Signer
from sixgate.folder import Folder
from streams.log.pipeline import PipelineLog
from tests.support.embedded import Producer, make_folder, open_pipeline


@pytest.fixture
def trader() -> Producer:
    return Producer(Ed25519Signer("trader", secrets.token_bytes(32)))


@pytest.fixture
def folder(tmp_path: Path, trader: Producer) -> Folder:
    return make_folder(tmp_path / "data", [trader.signer])


def ends(events: Sequence[Outgoing]) -> list[str]:
    """Name how intents and inputs ended: signed, or the reason."""
    ended = [e for e in events if e.topic in (Topic.OUTCOMES, Topic.UNATTRIBUTED)]
    return [orjson.loads(event.value).get("reason", "signed") for event in ended]


def run_once(folder: Folder, *values: bytes) -> list[str]:
    """Live one life: open, process, close."""
    pipeline = open_pipeline(folder)
    pipeline.submit(*values)
    found = ends(pipeline.drain())
    pipeline.close()
    return found


class Crash(Exception):  # noqa: N818 - stands for SIGKILL
    pass


class DiesBeforeSigning(PipelineLog):
    """Dies when the signed outcomes of a batch are to be committed."""

    def commit(self, events: Sequence[Outgoing], writes: Sequence[Any], at_ms: int) -> None:
        if any(event.topic is Topic.OUTCOMES for event in events):
            raise Crash
        super().commit(events, writes, at_ms)
