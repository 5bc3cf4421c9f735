"""A provider's shares move to its new root by an order; killed anywhere, nothing is lost."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from schemas.dsse import VAULT_ORDER_TYPE
from schemas.keys.provider_roots import ProviderRootChanged, ProviderRootOrder
from schemas.keys.vault_events import SecretOrder, SecretRewrapped
from schemas.ledger.audit import AuditRecord
from schemas.partition import partition_of
from schemas.record import Outgoing, Record
from schemas.registry.custody import CustodyMode
from schemas.registry.records import VaultCreated
from schemas.topics import Topic
from signer.custody.custody_modes import PLANS
from signer.custody.errors import KmsUnavailableError
from signer.custody.event_signing import Ed25519Signer
from signer.custody.kms.local import LocalKms
from signer.custody.kms.port import RootKms
from signer.custody.kms.roots import RotatedRoot
from signer.custody.order_validity import LIFETIME_MS_MAX
from signer.custody.provider import Provider
from signer.custody.sealing import Holders
from signer.keys.custody_maintenance import RETRY_MS
from signer.keys.operations import Operations
from signer.keys.orders import KeyOrderError
from signer.keys.vaults.order_execution import STUCK_MS
from signer.keys.vaults.share_migration import SHARES_MAX
from tests.harness.builders.cases import ACCOUNT, ADMIN, ALICE, MALLORY, NOW_MS, ORG, SIGNER
from tests.harness.builders.custody_client import FOR_CLIENT
from tests.harness.builders.custody_material import FailingKms, root_kms
from tests.harness.builders.custody_providers import PROVIDED, RaisingKms, cloud
from tests.harness.builders.order_executor import (
    OrderExecutor,
    why,
)
from tests.harness.builders.release import Release, released
from tests.harness.builders.vault_orders import fork, opened, restarted

PLACE = (ACCOUNT, "main")
NEW = b"a new root".ljust(32, b"-")
ROUNDS_MAX = 20
CALLS = 3
"""To unwrap a share, to wrap it, and to prove that."""


def new_root() -> LocalKms:
    return root_kms(NEW, "a new root")


def holders(**changed: RootKms) -> Holders:
    names = ("gcp", "aws", "azure")
    providers = (Provider(n, changed.get(n, cloud(n)), lambda _: None) for n in names)
    return Holders(root_kms(), tuple(providers))


def both(former: RootKms | None = None) -> Holders:
    """What the settings name while the move lasts: the new root of aws, and the former one."""
    return holders(aws=RotatedRoot(new_root(), (former or cloud("aws"),)))


def moved_only() -> Holders:
    """What they name in the end: the former root is gone."""
    return holders(aws=new_root())


def without_others() -> Holders:
    """The new root of aws and one more provider, so that its shares count."""
    lost = RaisingKms(KmsUnavailableError("gone"))
    return holders(aws=new_root(), azure=lost)


@contextmanager
def executor(mode: CustodyMode = "2of3_multi_hsm", versions: int = 3) -> Iterator[OrderExecutor]:
    """Yield a signer with secrets in a vault of providers, all under their former roots."""
    main = VaultCreated(account=ACCOUNT, vault="main", mode=mode)
    made = OrderExecutor(entries=(main,), holders=holders())
    for number in range(versions):
        give(made.operations, secret(mode, f"prod/{number}"), keep_in=made)
    made.operations.vaults.holders = both()
    yield made
    made.keychain.close()


TERMS: dict[str, Any] = {
    "org": ORG,
    "account": ACCOUNT,
    "vault": "main",
    "requested_at_ms": NOW_MS,
    "registry_sequence": 0,
}


def secret(mode: CustodyMode, path: str) -> bytes:
    share_for = FOR_CLIENT if PLANS[mode].needs_client else None
    order = SecretOrder(**TERMS, path=path, version=1, kind="password", share_for=share_for)
    return ADMIN.sign_envelope(VAULT_ORDER_TYPE, order.encode()).encode()


def move(by: Ed25519Signer = ADMIN, **changes: Any) -> bytes:
    order = ProviderRootOrder(**(TERMS | {"provider": "aws", "sequence": 1} | changes))
    return by.sign_envelope(VAULT_ORDER_TYPE, order.encode()).encode()


def give(
    operations: Operations, raw: bytes, keep_in: OrderExecutor | None = None, now_ms: int = NOW_MS
) -> Outgoing:
    record = Record(Topic.KEY_REQUESTS, partition_of(ACCOUNT, 4), 7, ACCOUNT, raw, now_ms)
    published, *_ = operations.execute_order(record, now_ms)
    if keep_in is not None and published.topic is Topic.VAULT:
        keep_in.vault.append(published)
    return published


def left(one: Operations) -> int:
    return len(one.vault.secrets.wrappings.moves[PLACE, "aws"].left)


def all_open(operations: Operations, held: Holders) -> None:
    before, operations.vaults.holders = operations.vaults.holders, held
    versions = operations.vault.secrets.versions.values()
    for event in [one for each in versions for one in each]:
        assert len(opened_by(operations, event)) == 64
    operations.vaults.holders = before


def opened_by(operations: Operations, event: Any) -> bytes:
    class One:
        pass

    shown: Any = One()
    shown.operations = operations
    return opened(shown, event)


def finish(one: OrderExecutor, operations: Operations | None = None) -> int:
    maintenance, count = (operations or one.operations).maintenance, 0
    for _ in range(ROUNDS_MAX):
        published = maintenance.rewrap(NOW_MS)
        one.vault.extend(published)
        count += len(published)
        if not published:
            return count
    raise AssertionError("it comes to no end")


@pytest.mark.parametrize("mode", PROVIDED)
def test_every_share_of_a_provider_comes_under_its_new_root_and_no_other_is_touched(
    mode: CustodyMode,
) -> None:
    with executor(mode) as one:
        wrappings = one.register.secrets.wrappings
        before = {place: held.sealed for place, held in wrappings.versions.items()}
        event = ProviderRootChanged.decode(give(one.operations, move(), one).value)
        assert (event.kms_key, event.sequence) == (new_root().key_id, 1)
        assert left(one.operations) == 3
        assert finish(one) == 3
        assert left(one.operations) == 0
        for place, held in wrappings.versions.items():
            assert held.sealed.ciphertext == before[place].ciphertext
            for was, now in zip(
                before[place].wrapped_shares, held.sealed.wrapped_shares, strict=True
            ):
                assert (was != now) is (was.provider == "aws")
        all_open(one.operations, moved_only())


def test_moved_shares_open_the_secret() -> None:
    """With another provider gone they open the secret, where the former root is gone too."""
    with executor() as one:
        give(one.operations, move(), one)
        finish(one)
        all_open(one.operations, without_others())


def test_no_other_provider_is_asked_while_shares_are_moved() -> None:
    with executor() as one:
        silent = {name: RaisingKms(KmsUnavailableError("asked")) for name in ("gcp", "azure")}
        aws = RotatedRoot(new_root(), (cloud("aws"),))
        one.operations.vaults.holders = holders(aws=aws, **silent)
        give(one.operations, move(), one)
        assert finish(one) == 3
        assert [each.calls for each in silent.values()] == [0, 0]


@pytest.mark.parametrize("done", range(4))
def test_a_share_migration_killed_after_any_event_loses_nothing_and_continues(done: int) -> None:
    with executor() as one:
        give(one.operations, move(), one)
        one.vault.extend(one.operations.maintenance.rewrap(NOW_MS)[:done])
        later = restarted(one)
        later.vaults.holders = both()
        assert left(later) == 3 - done
        all_open(later, both())
        rest = later.maintenance.rewrap(NOW_MS)
        assert len(rest) == 3 - done
        assert {SecretRewrapped.decode(each.value).sequence for each in rest} <= {1}
        assert later.maintenance.rewrap(NOW_MS) == []
        all_open(later, moved_only())
        later.keychain.close()


@pytest.mark.parametrize("call", range(1, 3 * CALLS + 1))
def test_a_root_that_fails_at_any_call_keeps_what_was_moved_and_loses_nothing(call: int) -> None:
    with executor() as one:
        give(one.operations, move(), one)
        failing = FailingKms(new_root(), KmsUnavailableError("no answer"), call)
        one.operations.vaults.holders = holders(aws=RotatedRoot(failing, (cloud("aws"),)))
        first = one.operations.maintenance.rewrap(NOW_MS)
        published = [each for each in first if each.topic is Topic.VAULT]
        assert len(published) == 3 - left(one.operations)
        if not published:
            assert AuditRecord.decode(first[0].value).action == "rewrap.failed"
        one.operations.vaults.holders = both()
        all_open(one.operations, both())
        for _ in range(3):
            one.operations.maintenance.rewrap(NOW_MS + RETRY_MS)
        assert left(one.operations) == 0
        all_open(one.operations, moved_only())


def test_a_start_folds_all_events_and_resumes() -> None:
    with executor() as one:
        give(one.operations, move(), one)
        finish(one)
        give(one.operations, move(sequence=2), one)
        one.vault.extend(one.operations.maintenance.rewrap(NOW_MS)[:1])
        later = restarted(one)
        assert left(later) == 2
        assert later.vault.secrets.wrappings.moves[PLACE, "aws"].changes == 2
        later.keychain.close()


def test_what_is_sealed_meanwhile_is_under_the_new_root_and_is_not_moved() -> None:
    with executor() as one:
        give(one.operations, move(), one)
        give(one.operations, secret("2of3_multi_hsm", "prod/meanwhile"), one)
        assert finish(one) == 3
        all_open(one.operations, moved_only())


def test_many_shares_are_moved_in_portions_that_intents_can_wait_for() -> None:
    with executor(versions=SHARES_MAX + 2) as one:
        give(one.operations, move(), one)
        portions = [len(one.operations.maintenance.rewrap(NOW_MS)) for _ in range(3)]
        assert portions == [SHARES_MAX, 2, 0]


def test_a_share_that_does_not_open_keeps_no_other_waiting_and_is_on_record() -> None:
    with executor() as one:
        wrappings = one.register.secrets.wrappings
        place, held = min(wrappings.versions.items())
        shares = list(held.sealed.wrapped_shares)
        bad = shares[1].blob[:-1] + bytes((shares[1].blob[-1] ^ 1,))
        shares[1] = type(shares[1])("aws", bad)
        sealed = copy.copy(held.sealed)
        object.__setattr__(sealed, "wrapped_shares", tuple(shares))
        wrappings.versions[place] = type(held)(sealed, held.sequence)
        give(one.operations, move(), one)
        published = one.operations.maintenance.rewrap(NOW_MS)
        records = [
            AuditRecord.decode(each.value) for each in published if each.topic is Topic.AUDIT
        ]
        assert [record.action for record in records] == ["rewrap.failed"]
        assert "the share of aws" in records[0].detail
        assert left(one.operations) == 1
        assert one.operations.maintenance.rewrap(NOW_MS + STUCK_MS - 1) == []
        again = one.operations.maintenance.rewrap(NOW_MS + STUCK_MS)
        assert [each.topic for each in again] == [Topic.AUDIT]
        # What is still stuck waits as long again before the next attempt.
        assert one.operations.maintenance.rewrap(NOW_MS + 2 * STUCK_MS - 1) == []
        assert one.operations.maintenance.rewrap(NOW_MS + 2 * STUCK_MS) != []


def test_shares_are_moved_through_the_release_of_their_provider() -> None:
    """It wraps shares, and no key of a vault: not to prove its root either."""
    with executor() as one:
        one.operations.vaults.holders = holders(aws=released(Release("aws")))
        event = ProviderRootChanged.decode(give(one.operations, move(), one).value)
        assert event.provider == "aws"
        assert finish(one) == 3
        assert left(one.operations) == 0


class Repeating:
    """A provider that says of the former blob that it is the new one: both of them open."""

    def __init__(self) -> None:
        self.key_id = new_root().key_id
        self._seen = b""

    def wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:
        return self._seen or cloud("aws").wrap(plaintext, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        self._seen = wrapped
        return cloud("aws").unwrap(wrapped, context)


def test_a_provider_that_hands_the_former_blob_back_halts_no_signer() -> None:
    """An order is retried at every start, so its error would be raised at every start."""
    with executor() as one:
        give(one.operations, move(), one)
        one.operations.vaults.holders = holders(aws=Repeating())
        published = one.operations.maintenance.rewrap(NOW_MS)
        assert [each.topic for each in published] == [Topic.AUDIT] * 3
        assert "former blob" in AuditRecord.decode(published[0].value).detail
        one.operations.vaults.holders = both()
        one.operations.maintenance.rewrap(NOW_MS + STUCK_MS)
        assert left(one.operations) == 0


def test_a_provider_that_is_down_keeps_no_other_provider_waiting() -> None:
    with executor() as one:
        gcp = RotatedRoot(root_kms(b"another".ljust(32), "another"), (cloud("gcp"),))
        aws = RotatedRoot(new_root(), (cloud("aws"),))
        one.operations.vaults.holders = holders(aws=aws, gcp=gcp)
        for provider in ("aws", "gcp"):
            give(one.operations, move(provider=provider), one)
        down = RaisingKms(KmsUnavailableError("down"), new_root().key_id)
        one.operations.vaults.holders = holders(aws=down, gcp=gcp)
        assert finish(one) == 4  # and that aws is down
        moves = one.register.secrets.wrappings.moves
        assert {who: len(move.left) for (_, who), move in moves.items()} == {"aws": 3, "gcp": 0}


def test_settings_that_name_another_root_than_was_ordered_move_nothing() -> None:
    """A signer with older settings would put shares back, and count them as moved."""
    with executor() as one:
        give(one.operations, move(), one)
        one.operations.vaults.holders = holders()
        (refused,) = one.operations.maintenance.rewrap(NOW_MS)
        assert "settings name" in AuditRecord.decode(refused.value).detail
        assert left(one.operations) == 3


@pytest.mark.parametrize(
    ("raw", "because"),
    [
        *((move(by=by), "signed") for by in (MALLORY, ALICE)),
        (move(org="other"), "vault main"),
        (move(vault="none"), "vault none"),
        (move(provider="mine"), "holds no share"),
        (move(sequence=2), "0 new roots"),
        (move(requested_at_ms=NOW_MS - LIFETIME_MS_MAX), "expired"),
        (move(expires_at_ms=NOW_MS), "expired"),
    ],
)
def test_an_impossible_or_unauthenticated_order_changes_nothing(raw: bytes, because: str) -> None:
    with executor() as one:
        before = copy.deepcopy(one.register)
        assert because in why(give(one.operations, raw))
        assert one.register == before


@pytest.mark.parametrize("mode", ["envelope", "2of2_client_custody"])
def test_a_vault_with_a_key_of_its_own_has_no_shares_to_move(mode: CustodyMode) -> None:
    with executor(mode) as one:
        assert "holds no share" in why(give(one.operations, move()))


def test_an_order_counts_once_and_a_repeated_one_returns_its_first_answer() -> None:
    with executor() as one:
        assert give(one.operations, move(), one) == give(one.operations, move())
        assert "1 new roots" in why(give(one.operations, move(requested_at_ms=NOW_MS + 1)))


def test_a_root_that_is_down_begins_no_move() -> None:
    with executor() as one:
        one.operations.vaults.holders = holders(aws=RaisingKms(KmsUnavailableError("down")))
        assert "down" in why(give(one.operations, move()))
        assert not one.register.secrets.wrappings.moves


FORGED: dict[str, dict[str, Any]] = {
    "of another provider": {"provider": "gcp"},
    "not the next": {"sequence": 2},
    "of another vault": {"vault": "other"},
    "of another name": {"id": "0x" + "ab" * 32},
}


@pytest.mark.parametrize("name", FORGED)
def test_a_migration_event_unlike_the_admins_order_is_refused(name: str) -> None:
    with executor() as one:
        event = ProviderRootChanged.decode(give(fork(one, both()), move()).value)
        before = copy.deepcopy(one.register)
        forged = SIGNER.sign_event(event.model_copy(update=FORGED[name] | {"signature": None}))
        with pytest.raises(KeyOrderError):
            one.register.load(forged, one.registry)
        assert one.register == before
