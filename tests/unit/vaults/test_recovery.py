"""Recovery orders: approved, executed once, and recorded."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from schemas.dsse import VAULT_ORDER_TYPE, Envelope
from schemas.keys.client_share import ClientShareContext
from schemas.keys.key_events import KeyRequest
from schemas.keys.recovery import RecoveryOrder, SecretRecovered
from schemas.keys.secret_access import SecretAccess
from schemas.keys.vault_events import vault_answer_id
from schemas.keys.wrapped import WrappedShareText
from schemas.ledger.audit import AuditRecord
from schemas.partition import partition_of
from schemas.record import Outgoing, Record
from schemas.registry.custody import AGENT_KEYS, CustodyMode
from schemas.topics import Topic
from signer.custody.errors import KmsUnavailableError, SharesMismatchError
from signer.custody.event_signing import Ed25519Signer
from signer.custody.hpke import HpkeKey
from signer.custody.order_validity import AHEAD_MS_MAX, LIFETIME_MS_MAX
from signer.custody.provider import Provider
from signer.custody.sealing import Holders
from signer.keys.operations import Operations
from signer.keys.orders import KeyOrderError
from tests.harness.builders.cases import ADMIN, AGENT, ALICE, KEY_PATH, MALLORY, NOW_MS, ORG, SIGNER
from tests.harness.builders.custody_client import DIGEST, Fund, fund
from tests.harness.builders.custody_material import FailingKms
from tests.harness.builders.custody_providers import MODES, cloud
from tests.harness.builders.order_executor import (
    fresh,
    load,
    registry_records,
    seen_by,
    vault_records,
)
from tests.harness.builders.vault_events import FUND

MODE: CustodyMode = "2of3_client_custody"
NEW_CLIENT = HpkeKey(b"n" * 32)
DONE = ["recovery.asked", "recovery.approved", "recovery.done"]
PROVIDER_CALLS = 3
"""To unwrap the old share, to wrap the new one, and to prove it."""


def order(**changes: Any) -> RecoveryOrder:
    terms: dict[str, Any] = {
        "org": ORG,
        "account": FUND,
        "vault": AGENT_KEYS,
        "path": KEY_PATH,
        "version": 1,
        "share_for": f"0x{NEW_CLIENT.public_key.hex()}",
        "why": "the client's laptop burnt down",
        "requested_at_ms": NOW_MS,
        "registry_sequence": 0,
        "expires_at_ms": NOW_MS + 600_000,
    }
    return RecoveryOrder(**(terms | changes))


def sealed(by: Ed25519Signer = ADMIN, **changes: Any) -> bytes:
    return by.sign_envelope(VAULT_ORDER_TYPE, order(**changes).encode()).encode()


def give(
    operations: Operations, raw: bytes, now_ms: int = NOW_MS, partition: int | None = None
) -> list[Outgoing]:
    at = partition_of(FUND, 4) if partition is None else partition
    return operations.execute_order(Record(Topic.KEY_REQUESTS, at, 77, FUND, raw, now_ms), now_ms)


def trail(published: list[Outgoing]) -> list[str]:
    audit_records = [one.value for one in published if one.topic is Topic.AUDIT]
    return [AuditRecord.decode(raw).action for raw in audit_records if b'"type":"audit"' in raw]


def recovered(published: list[Outgoing]) -> SecretRecovered:
    assert published[0].topic is Topic.VAULT, published
    return SecretRecovered.decode(published[0].value)


def share_in(event: SecretRecovered, client: HpkeKey = NEW_CLIENT) -> bytearray:
    place = {name: getattr(event, name) for name in ("account", "vault", "path", "version")}
    to_client = ClientShareContext(org=ORG, **place).to_client()
    return client.open(bytes.fromhex(event.client_share[2:]), to_client)


def signs(one: Fund, share: bytes | bytearray) -> bool:
    try:
        ring_key = one.executor.keychain.use(one.key(), AGENT, one.sent(share))
    except SharesMismatchError:
        return False
    return len(ring_key.sign(DIGEST)) == 65


@contextmanager
def stocked(mode: CustodyMode = MODE) -> Iterator[tuple[Fund, bytearray]]:
    """Lend a fund with a generated key, and the share that its client got."""
    with fund(mode) as one:
        answer = one.give(KeyRequest)
        yield one, one.received(answer) if answer.client_share else bytearray()


def test_the_client_gets_a_share_that_signs_and_the_lost_one_signs_no_more() -> None:
    with stocked() as (one, lost):
        assert signs(one, lost)  # and is open now
        published = give(one.executor.operations, sealed())
        event = recovered(published)
        assert not signs(one, lost)
        assert signs(one, share_in(event))
        assert (event.sequence, event.signer) == (1, SIGNER.keyid)


def test_the_former_share_no_longer_opens_the_key() -> None:
    """A key that is open for a box needs no holder for it: it is closed."""
    with stocked() as (one, lost):
        box = one.sent(lost)
        one.executor.keychain.use(one.key(), AGENT, box)
        recovered(give(one.executor.operations, sealed()))
        with pytest.raises(SharesMismatchError):
            one.executor.keychain.use(one.key(), AGENT, box)


def test_a_recovery_returns_the_key_to_no_caller() -> None:
    with stocked() as (one, lost):
        descriptor = one.key()
        event = recovered(give(one.executor.operations, sealed()))
        assert one.key() == descriptor
        assert b"ciphertext" not in event.encode()
        assert bytes(lost).hex().encode() not in event.encode()
        assert bytes(share_in(event)).hex().encode() not in event.encode()


def test_request_approval_and_recovery_are_recorded_with_their_reason() -> None:
    with stocked() as (one, _):
        published = give(one.executor.operations, sealed())
        assert trail(published) == DONE
        records = [AuditRecord.decode(each.value) for each in published[2:]]
        assert "laptop" in records[0].detail
        assert all(f"{KEY_PATH}, version 1" in record.detail for record in records)
        handed = SecretAccess.decode(published[1].value)
        assert (handed.operation, handed.actor, handed.path) == ("hand-over", "admin-0", KEY_PATH)


def test_a_repeated_order_returns_its_first_answer_and_no_other_share() -> None:
    with stocked() as (one, _):
        first = give(one.executor.operations, sealed())
        again = give(one.executor.operations, sealed())
        assert again[0] == first[0]
        assert trail(again) == DONE[:2]
        assert signs(one, share_in(recovered(first)))


@pytest.mark.parametrize("restarted", [False, True])
def test_an_order_that_was_held_back_until_a_later_one_was_carried_out_is_refused(
    *, restarted: bool
) -> None:
    """Who carries orders could else bring a client back that an admin gave up."""
    given_up = HpkeKey(b"g" * 32)
    held_back = sealed(share_for=f"0x{given_up.public_key.hex()}", requested_at_ms=NOW_MS - 1)
    with stocked() as (one, _):
        published = give(one.executor.operations, sealed())
        one.executor.vault.append(published[0])
        operations = fresh(one.executor) if restarted else one.executor.operations
        if restarted:
            load(
                operations,
                registry_records(one.executor),
                vault_records(one.executor),
                seen_by(one.executor),
            )
        refused = give(operations, held_back)
        assert trail(refused) == ["recovery.asked", "recovery.approved", "recovery.refused"]
        assert "later order" in AuditRecord.decode(refused[-1].value).detail
        assert signs(one, share_in(recovered(published)))
        operations.keychain.close()


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "nobody's": ({"by": MALLORY}, "signed"),
    "an agent's": ({"by": ALICE}, "signed"),
    "another organisation": ({"org": "other"}, "no vault"),
    "no vault": ({"vault": "nothing"}, "no vault"),
    "no version": ({"version": 2}, "hot, version 2"),
    "no path": ({"path": "keys/none"}, "keys/none, version 1"),
    "expired": ({"requested_at_ms": NOW_MS - 9, "expires_at_ms": NOW_MS}, "has expired"),
    "from the future": (
        {"requested_at_ms": NOW_MS + AHEAD_MS_MAX + 1, "expires_at_ms": NOW_MS + 400_000},
        "from the future",
    ),
    "for too long": ({"expires_at_ms": NOW_MS + LIFETIME_MS_MAX + 1}, "more than 24 hours"),
    "for no key": ({"share_for": "0x" + "00" * 32}, "public key"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_order_that_proves_nothing_changes_nothing_and_is_on_record(name: str) -> None:
    changes, because = REFUSED[name]
    with stocked() as (one, share):
        before = copy.deepcopy(one.executor.register)
        published = give(one.executor.operations, sealed(**changes))
        assert trail(published)[0] == "recovery.asked"
        assert trail(published)[-1] == "recovery.refused"
        assert because in AuditRecord.decode(published[-1].value).detail
        assert one.executor.register == before
        assert signs(one, share)


@pytest.mark.parametrize("mode", sorted(set(MODES) - {MODE}))
def test_no_other_mode_has_a_recovery(mode: CustodyMode) -> None:
    with stocked(mode) as (one, _):
        published = give(one.executor.operations, sealed())
        assert trail(published)[-1] == "recovery.refused"
        assert "cannot be recovered" in AuditRecord.decode(published[-1].value).detail


def test_an_executed_order_repeated_after_its_expiry_is_refused() -> None:
    with stocked() as (one, _):
        event = recovered(give(one.executor.operations, sealed()))
        published = give(one.executor.operations, sealed(), NOW_MS + 600_000)
        assert trail(published) == ["recovery.asked", "recovery.refused"]
        assert signs(one, share_in(event))


def test_an_order_in_another_partition_than_its_accounts_is_refused() -> None:
    with stocked() as (one, _):
        other = (partition_of(FUND, 4) + 1) % 4
        assert (
            trail(give(one.executor.operations, sealed(), partition=other))[-1]
            == "recovery.refused"
        )


@pytest.mark.parametrize("name", ["gcp", "aws"])
@pytest.mark.parametrize("call", range(1, PROVIDER_CALLS + 2))
def test_a_provider_that_fails_at_any_call_changes_nothing_and_the_next_order_goes_through(
    name: str, call: int
) -> None:
    with stocked() as (one, lost):
        failing = FailingKms(cloud(name), KmsUnavailableError("no answer"), call)
        sound = one.executor.operations.vaults.holders
        providers = tuple(
            Provider(each.name, failing, lambda _: None) if each.name == name else each
            for each in sound.providers
        )
        one.executor.operations.vaults.holders = Holders(sound.root, providers)
        published = give(one.executor.operations, sealed())
        one.executor.operations.vaults.holders = sound
        if call > PROVIDER_CALLS:
            assert trail(published) == DONE
            return
        assert trail(published) == ["recovery.asked", "recovery.approved", "recovery.refused"]
        assert signs(one, lost)
        again = give(one.executor.operations, sealed(requested_at_ms=NOW_MS + 1))
        assert signs(one, share_in(recovered(again)))


@pytest.mark.parametrize("committed", [False, True])
def test_a_signer_that_dies_around_the_commit_answers_once(*, committed: bool) -> None:
    """Uncommitted work is repeated; a committed answer is also that of the next boot."""
    with stocked() as (one, lost):
        seen = seen_by(one.executor)
        first = give(one.executor.operations, sealed())
        if committed:
            one.executor.vault.append(first[0])
            seen = seen_by(one.executor)
        later = fresh(one.executor)
        load(later, registry_records(one.executor), vault_records(one.executor), seen)
        second = give(later, sealed())
        assert (second[0] == first[0]) is committed
        later.keychain.share_boxes = one.boxes
        ring_key = later.keychain.use(one.key(), AGENT, one.sent(share_in(recovered(second))))
        assert len(ring_key.sign(DIGEST)) == 65
        with pytest.raises(SharesMismatchError):
            later.keychain.use(one.key(), AGENT, one.sent(lost))
        later.keychain.close()


FORGED: dict[str, tuple[dict[str, Any], str]] = {
    "after its time": ({"recovered_at_ms": NOW_MS + 600_000}, "expired"),
    "of another version": ({"version": 2}, "another secret"),
    "of another path": ({"path": "keys/other"}, "another secret"),
    "not the next": ({"sequence": 2}, r"wrapping 2 of .*\b0$"),
    "of another name": ({"id": "0x" + "ab" * 32}, r"\bid\b"),
    "without an order": ({"request": None}, "admin key"),
    "with other holders": ({"wrapped_shares": None}, "2of3_client_custody"),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_recovery_event_unlike_the_admins_order_is_refused(name: str) -> None:
    """Even if the signer itself signed the event."""
    changes, because = FORGED[name]
    with stocked() as (one, _):
        later = copy.deepcopy(one.executor.register)
        event = recovered(give(one.executor.operations, sealed()))
        if "request" in changes:
            changes = {"request": Envelope.decode(sealed(by=MALLORY))}
        forged = event.model_copy(update=changes | {"signature": None})
        before = copy.deepcopy(later)
        with pytest.raises(KeyOrderError, match=because):
            later.load(SIGNER.sign_event(forged), one.executor.registry)
        assert later == before
        later.load(
            SIGNER.sign_event(event.model_copy(update={"signature": None})), one.executor.registry
        )
        assert later == one.executor.register


@pytest.mark.parametrize("mode", ["2of3_multi_hsm", "2of3_multi_hsm_client"])
def test_a_recovery_event_in_a_mode_without_recovery_is_refused(mode: CustodyMode) -> None:
    with stocked(mode) as (one, _):
        request = Envelope.decode(sealed())
        held = one.executor.keys.wrappings.versions[one.key().version_id].sealed
        shares = tuple(
            WrappedShareText(provider=s.provider, blob="0x09") for s in held.wrapped_shares
        )
        forged = SecretRecovered(
            id=vault_answer_id(request.body()),
            request=request,
            **one.key().version_id._asdict(),
            sequence=1,
            wrapped_shares=shares,
            client_share="0x01",
            recovered_at_ms=NOW_MS,
            signer=SIGNER.keyid,
        )
        with pytest.raises(KeyOrderError, match="2of3_multi_hsm"):
            one.executor.register.load(SIGNER.sign_event(forged), one.executor.registry)
