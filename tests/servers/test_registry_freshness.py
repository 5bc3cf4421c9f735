"""A slot decides nothing before it has read up to its head; heads need the registrar's key."""

from typing import Any

import pytest

from schemas.ledger.heads import RegistryHead
from schemas.record import Record
from schemas.topics import Topic
from signer.core.registry.registry import Registry
from signer.stage.freshness import HEAD_SKEW_MS_MAX, RegistryStaleError
from sixgate.clocks import wall_ms
from sixgate.config.process_settings import Settings
from sixgate.data_folder.folder import REGISTRAR, Folder
from sixgate.data_folder.signer_files import FolderError
from sixgate.services.registrar import RegistrarProcess
from tests.harness.pipeline.embedded import ACCOUNT, open_pipeline

HEADS: dict[str, tuple[dict[str, Any], str]] = {
    "it is fresh and reached": ({}, ""),
    "it names a record more": ({"sequence": 10**6}, "1000001 records"),
    "it names another record": ({"digest": "0x" + "11" * 32}, "another"),
    "it is an hour old": ({"at_ms": 1}, r"\d s old"),
    "its hour has not come": ({"at_ms": 2**45, "valid_until_ms": 2**46}, r"\d s ahead"),
}


@pytest.mark.parametrize(("changes", "because"), HEADS.values(), ids=HEADS)
def test_no_key_is_made_before_the_registry_head_is_reached(
    folder: Folder, changes: dict[str, Any], because: str
) -> None:
    pipeline = open_pipeline(folder)
    inbox, slot = pipeline.inbox, pipeline.runner.slot
    registry = [*inbox.scan(Topic.REGISTRY, 0)]
    requests = [r for p in range(inbox.partitions) for r in inbox.scan(Topic.KEY_REQUESTS, p)]
    assert [request.key for request in requests] == [ACCOUNT]
    head = _head(folder, registry, changes)
    if because:
        with pytest.raises(RegistryStaleError, match=because):
            slot.administer([], requests, wall_ms(), head)
        assert not slot.stage.keys.by_path
    else:
        written = [one.topic for one in slot.administer([], requests, wall_ms(), head)]
        assert [topic for topic in written if topic is not Topic.AUDIT] == [Topic.VAULT]
        assert len(slot.stage.keys.by_path) == 1
    pipeline.close()


def _head(folder: Folder, registry: list[Record], changes: dict[str, Any]) -> RegistryHead:
    whole, now_ms = Registry(folder.trust().trust_root), wall_ms()
    for record in registry:
        whole.apply(record.value)
    terms: dict[str, Any] = {
        "org": folder.trust().org,
        "sequence": whole.record_count - 1,
        "digest": whole.last_digest,
        "at_ms": now_ms,
        "valid_until_ms": now_ms + HEAD_SKEW_MS_MAX,
    }
    return RegistryHead(**(terms | changes))


def test_a_registrar_without_its_key_names_the_command_that_makes_one(folder: Folder) -> None:
    folder.key(REGISTRAR).unlink()
    with pytest.raises(FolderError, match=f"services add {REGISTRAR}"):
        RegistrarProcess(Settings(data=folder.path))
