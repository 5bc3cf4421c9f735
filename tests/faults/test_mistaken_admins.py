"""Records and orders that admins sign by mistake, or that others sign in their place."""

from collections import Counter
from typing import Any

import pytest

from schemas.dsse import KEY_REQUEST_TYPE, REGISTRY_TYPE
from schemas.keys.key_events import KeyRequest
from schemas.record import Outgoing
from schemas.registry.records import AccountOpened, ServiceSet, SettingSet
from schemas.topics import Topic
from signer.stage.stage import HaltError
from sixgate.api import ApiError
from sixgate.api.operator.connection import connect
from sixgate.authoring import operator
from sixgate.clocks import wall_ms
from sixgate.data_folder.folder import Folder
from sixgate.data_folder.signer_files import SIGNER
from sixgate.services.slot import open_signer_keys
from tests.harness.pipeline.embedded import (
    ACCOUNT,
    KEY_PATH,
    Producer,
    agent_entry,
    key_order,
    open_pipeline,
)
from tests.harness.pipeline.embedded_fixtures import (
    ends,
    registry_record,
    run_once,
)

ORDERED_MS = wall_ms()


def signer_entry(folder: Folder, change: str = "") -> ServiceSet:
    key = open_signer_keys(folder).identity.public_key
    terms: dict[str, Any] = {"role": "signer", "name": SIGNER, "public_key": key, "active": True}
    changes: dict[str, Any] = {
        "deactivated": {"active": False},
        "another key": {"public_key": "0x" + "11" * 32},
    }
    return ServiceSet(**(terms | changes.get(change, {})))


@pytest.mark.parametrize("change", ["deactivated", "another key"])
def test_the_api_refuses_records_that_would_halt_its_own_signer(
    folder: Folder, change: str
) -> None:
    with connect(folder.path) as api:
        with pytest.raises(ApiError, match="active signer") as refused:
            operator.register(api, folder.admin(), [signer_entry(folder, change)], 1)
        assert refused.value.code == "registry_refused"
        operator.register(api, folder.admin(), [AccountOpened(account="later")], 1)
        assert "later" in api.registry()["accounts"]


@pytest.mark.parametrize("change", ["deactivated", "another key"])
def test_a_revoked_signer_signs_nothing_until_it_is_registered_again(
    folder: Folder, trader: Producer, change: str
) -> None:
    pipeline = open_pipeline(folder)
    pipeline.drain()
    sequence, head = (
        pipeline.runner.slot.registry.record_count,
        pipeline.runner.slot.registry.last_digest,
    )
    record, admin = operator.record_envelope, folder.admin()
    gone, head = record(admin, "acme", (sequence, head), signer_entry(folder, change), 1)
    back, _ = record(admin, "acme", (sequence + 1, head), signer_entry(folder), 1)
    pipeline.inbox.append([Outgoing(Topic.REGISTRY, "", gone)], 1)
    pipeline.submit(trader.signed("a"))
    for _ in range(2):
        with pytest.raises(HaltError, match="active signer"):
            pipeline.runner.step()
        assert ends(pipeline.committed) == []
        pipeline.close()
        pipeline = open_pipeline(folder)
    pipeline.inbox.append([Outgoing(Topic.REGISTRY, "", back)], 1)
    assert ends(pipeline.drain()) == ["signed"]


def test_an_unprintable_setting_is_refused_with_a_bounded_audit_record(
    folder: Folder, trader: Producer
) -> None:
    pipeline = open_pipeline(folder)
    pipeline.drain()
    entry = SettingSet(name="simulation.required", value="\U000e0001" * 256)
    raw = registry_record(folder, pipeline.runner.slot.registry, entry)
    pipeline.inbox.append([Outgoing(Topic.REGISTRY, "", raw)], 1)
    pipeline.submit(trader.signed("a"))
    assert ends(pipeline.drain()) == ["signed"]


def request(folder: Folder, **changes: Any) -> bytes:
    terms = {"path": "keys/another", "requested_at_ms": ORDERED_MS} | changes
    return key_order(folder, **terms).value


def test_key_requests_and_registry_records_of_every_wrong_kind_become_audit_records(
    folder: Folder, trader: Producer
) -> None:
    pipeline = open_pipeline(folder)
    pipeline.drain()
    registry = pipeline.runner.slot.registry
    body = KeyRequest(
        org="acme", account=ACCOUNT, path="keys/x", requested_at_ms=ORDERED_MS, registry_sequence=0
    ).encode()
    opened = registry_record(folder, registry, AccountOpened(account="x"))
    requests = [
        b"",
        request(folder, account="nobody"),
        request(folder, org="evil"),
        request(folder, path=KEY_PATH),
        folder.admin().sign_envelope(REGISTRY_TYPE, body).encode(),
        trader.signer.sign_envelope(KEY_REQUEST_TYPE, body).encode(),
        trader.signed("a"),
        opened,
    ]
    chained = (registry.record_count, registry.last_digest)
    nothing = (chained[0], "0x" + "00" * 32)
    foreign = [("evil", chained), ("acme", (0, chained[1])), ("acme", nothing)]
    entry = AccountOpened(account="x")
    records = [
        b"",
        b"{}",
        trader.signed("b"),
        request(folder),
        operator.record_envelope(trader.signer, "acme", chained, entry, 1)[0],
        *(operator.record_envelope(folder.admin(), org, at, entry, 1)[0] for org, at in foreign),
        registry_record(folder, registry, agent_entry(trader.signer, account="nowhere")),
    ]
    pipeline.inbox.append([Outgoing(Topic.KEY_REQUESTS, ACCOUNT, raw) for raw in requests], 1)
    pipeline.inbox.append([Outgoing(Topic.REGISTRY, "", raw) for raw in records], 1)
    pipeline.submit(trader.signed("c"))
    assert ends(pipeline.drain()) == ["signed"]
    assert Counter(pipeline.audits()) == {
        "key.refused": len(requests),
        "registry.refused": len(records),
    }
    pipeline.close()
    assert run_once(folder, trader.signed("d")) == ["signed"]
