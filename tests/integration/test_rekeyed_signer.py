"""A signer that got a new key: what it decided with the old one stays decided, and proven."""

import base64
import secrets
from typing import Any

import pytest

from schemas.record import Outgoing
from schemas.registry import ServiceSet
from schemas.topics import Topic
from signer.signatures import Ed25519Signer
from signer.stage import StageHalted
from sixgate.connection import connect
from sixgate.folder import SIGNER, Folder
from sixgate.node import Node
from sixgate.operator import record_envelope
from sixgate.slots import open_signer_keys
from tests.support.embedded import ACCOUNT, Producer, open_pipeline
from tests.support.trading import Crash, DiesBeforeSigning, run_once


def change_key(folder: Folder) -> str:
    """Give the signer another key, as its operator would, and return that."""
    held, seed = open_signer_keys(folder), secrets.token_bytes(32)
    sealed = held.kms.wrap(seed + held.state_key, b"sixgate/signer-identity/v1")
    folder.signer_identity.write_bytes(sealed)
    return Ed25519Signer(SIGNER, seed).public_key


def register_key(folder: Folder, key: str) -> None:
    entry = ServiceSet(role="signer", name=SIGNER, public_key=key, active=True)
    pipeline = open_pipeline(folder)
    registry = pipeline.runner.stage.registry
    at = registry.sequence, registry.head
    pipeline.inbox.append(
        [Outgoing(Topic.REGISTRY, "", record_envelope(folder.admin(), "acme", at, entry, 1)[0])], 1
    )
    pipeline.close()


def submit(node: Any, intent: bytes) -> list[dict[str, Any]]:
    record = {"key": ACCOUNT, "value": base64.b64encode(intent).decode()}
    return list(node.submit([record], wait=True))[1:]


def test_what_a_signer_decided_with_an_older_key_is_still_proven(
    folder: Folder, trader: Producer
) -> None:
    intent = trader.signed("a")
    with connect(folder.path) as node:
        [first] = submit(node, intent)
    register_key(folder, change_key(folder))
    with connect(folder.path) as node:
        assert isinstance(node, Node)
        outcomes = node.pipeline.parts.books.answers.outcomes
        assert outcomes.has_outcome(first["intent"])
        assert outcomes.newest_sequences([ACCOUNT]) == {ACCOUNT: 1}
        [again], [second] = submit(node, intent), submit(node, trader.signed("b"))
        assert (again["repeated"], second["result"]["sequence"]) == (True, 2)
        fed = [one["event"]["intent"] for one in node.signed(after=0, follow=False)]
        assert fed == [first["intent"], second["intent"]]
        found = list(node.verify(head=None))[-1]["verified"]
        assert (found["outcomes"], found["forged"]) == (2, 0)


def test_what_was_pinned_under_an_older_key_is_not_signed_with_one_that_nobody_registered(
    folder: Folder, trader: Producer
) -> None:
    run_once(folder)
    dying = open_pipeline(folder, log=DiesBeforeSigning)
    dying.submit(trader.signed("a"))
    with pytest.raises(Crash):
        dying.drain()
    dying.close()
    change_key(folder)
    with pytest.raises(StageHalted, match="active signer"):
        open_pipeline(folder)


@pytest.mark.parametrize("idle", [True, False])
def test_a_signer_with_a_key_that_nobody_registered_halts(
    folder: Folder, trader: Producer, *, idle: bool
) -> None:
    pipeline = open_pipeline(folder)
    pipeline.drain()
    pipeline.close()
    change_key(folder)
    pipeline = open_pipeline(folder)
    pipeline.submit(*[] if idle else [trader.signed("a")])
    with pytest.raises(StageHalted, match="active signer"):
        pipeline.runner.step()
    assert pipeline.committed == []
