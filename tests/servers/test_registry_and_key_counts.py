"""At start, registry and keys must match the counts in the signer's state, else it halts."""

import secrets
from pathlib import Path

import pytest

from schemas.topics import Topic
from signer.core.registry.registry import Registry
from signer.custody.event_signing import Ed25519Signer
from signer.keys.register import VaultRegister
from signer.stage import loading
from signer.stage.state import StateIntegrityError, StateRollbackError
from tests.harness.pipeline.embedded import Pipeline, make_folder, open_pipeline


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    trader = Ed25519Signer("trader", secrets.token_bytes(32))
    opened = open_pipeline(make_folder(tmp_path / "data", [trader]))
    opened.drain()
    return opened


def load(pipeline: Pipeline, **more: int) -> None:
    """Load everything with a slot state whose counts differ by ``more``."""
    runner = pipeline.runner
    registry = Registry(runner.slot.registry.trust_root)
    slot = runner.slot.state
    update = {name: getattr(slot, name) + count for name, count in more.items()}
    records = runner.inbox.scan(Topic.REGISTRY, 0)
    partitions = range(runner.pipeline.partitions)
    vault = [r for p in partitions for r in runner.pipeline.scan(Topic.VAULT, p)]
    loading.load(registry, VaultRegister(), records, vault, slot.model_copy(update=update))


def test_equal_counts_are_loaded(pipeline: Pipeline) -> None:
    load(pipeline)


@pytest.mark.parametrize("what", ["registry_sequence", "key_count"])
def test_lower_counts_are_a_rollback_and_higher_counts_are_damage(
    pipeline: Pipeline, what: str
) -> None:
    with pytest.raises(StateRollbackError, match="newer copy"):
        load(pipeline, **{what: 1})
    with pytest.raises(StateIntegrityError, match="good copy") as damaged:
        load(pipeline, **{what: -1})
    assert not isinstance(damaged.value, StateRollbackError)
