"""Records of another schema version or an unknown type, on every topic.

A reader neither ends nor misinterprets them: each becomes an event or a row, and later records are
processed.
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest

from schemas.dsse import INTENT_TYPE, KEY_REQUEST_TYPE, REGISTRY_TYPE, Envelope
from schemas.keys.key_events import KeyRequest
from schemas.ledger.audit import AuditRecord
from schemas.record import Outgoing
from schemas.registry.records import AccountOpened
from schemas.topics import Topic
from sixgate.authoring.operator import record_envelope
from sixgate.clocks import wall_ms
from tests.harness.broker.hostile_records import BETWEEN_GATES, cleared
from tests.harness.pipeline.embedded import ACCOUNT, Producer
from tests.harness.pipeline.ledger_wait import await_ledger
from tests.harness.pipeline.scaled import Scaled

Change: TypeAlias = Callable[[bytes], bytes]


def older(body: bytes) -> bytes:
    return replaced(body, b'"v":1', b'"v":0')


def unknown(body: bytes) -> bytes:
    return replaced(body, b'"type":"', b'"type":"never.heard.of.')


def replaced(body: bytes, old: bytes, new: bytes) -> bytes:
    assert old in body
    return body.replace(old, new)


@pytest.mark.parametrize("change", [older, unknown])
def test_unknown_records_become_events_and_later_records_are_processed(
    scaled_with_ledger: Scaled, trader: Producer, change: Change
) -> None:
    scaled = scaled_with_ledger
    for name in ("signer", "gates", "ledger"):
        scaled.start(name)
    scaled.send(list(strange(scaled, trader, change)))
    scaled.send([Outgoing(Topic.SUBMITTED, ACCOUNT, trader.signed("good"))])
    scaled.settle(lambda found: len(found.outcomes) == 2 and len(found.unattributed) == 1)
    scaled.register(AccountOpened(account="another"))
    assert "another" in scaled.registry().accounts
    found = scaled.settle(lambda _: len(scaled.audit()) >= 3 + len(BETWEEN_GATES))
    assert [one["intent"] for one in found.outcomes if "intent" in one] == [*found.intents]
    assert [event["reason"] for event in found.unattributed] == ["signature_invalid"]
    refused = [AuditRecord.decode(raw).action for raw in scaled.audit()]
    assert sorted(refused) == sorted(
        ["key.refused", "registry.refused"] + ["record.refused"] * (1 + len(BETWEEN_GATES))
    )
    await_ledger(scaled).judge()
    for name in ("signer", "gates", "ledger"):
        scaled.stop(name)
        scaled.start(name)
        scaled.await_ready(name)


def strange(scaled: Scaled, trader: Producer, change: Change) -> Iterator[Outgoing]:
    """Yield for every input topic a record that is valid except for its version or type.

    Signed records have valid signatures.
    """
    body = trader.intent("strange").encode()
    kind = INTENT_TYPE.replace("intent.v1", "intent.v0" if change is older else "wish.v1")
    yield Outgoing(Topic.SUBMITTED, ACCOUNT, trader.signer.sign_envelope(kind, body).encode())
    clearance = cleared(trader.signed("never-admitted"), ())
    for topic in (*BETWEEN_GATES, Topic.DECIDED):
        yield Outgoing(topic, ACCOUNT, change(clearance))
    admin, registry = scaled.folder.admin(), scaled.registry()
    entry = AccountOpened(account="strange")
    at = (registry.record_count, registry.last_digest)
    record, _ = record_envelope(admin, registry.org, at, entry, 1)
    body = change(Envelope.decode(record).body())
    yield Outgoing(Topic.REGISTRY, "", admin.sign_envelope(REGISTRY_TYPE, body).encode())
    request = KeyRequest(
        org="acme",
        account=ACCOUNT,
        path="keys/strange",
        requested_at_ms=wall_ms(),
        registry_sequence=0,
    )
    body = change(request.encode())
    yield Outgoing(
        Topic.KEY_REQUESTS, ACCOUNT, admin.sign_envelope(KEY_REQUEST_TYPE, body).encode()
    )
    for topic in (Topic.OUTCOMES, Topic.SIGNED):
        yield Outgoing(topic, ACCOUNT, change(b'{"type":"transaction.signed","v":1}'))
