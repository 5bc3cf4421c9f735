"""Share key rotation: announcements, overlap, crashes, erasure and replays."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from schemas.intents.intent_parts import ClientShare
from schemas.keys.key_events import KeyProvisioned, KeyRequest
from schemas.keys.secret_access import SecretAccess
from schemas.keys.vault_events import ShareKeyAnnounced, announcement_id
from schemas.ledger.audit import action_of
from schemas.record import Outgoing
from schemas.registry.custody import AGENT_KEYS
from schemas.registry.records import AccountOpened, VaultCreated
from schemas.topics import Topic
from signer.custody.errors import ClientShareMissingError, KmsUnavailableError
from signer.custody.event_signing import Ed25519Signer
from signer.custody.hpke import seal_for
from signer.custody.sealing import Holders
from signer.custody.share_key import OVERLAP_MS
from signer.keys.custody_maintenance import ANNOUNCED_MAX, RETRY_MS
from signer.keys.orders import KeyOrderError
from signer.keys.share_key_rotation import ERASE_AFTER_MS, ROTATE_AFTER_MS, ShareKeyRotation
from signer.stage.memory import Memory
from signer.stage.state import StateMac, StateRollbackError
from sixgate.answers.snapshot import registry_snapshot
from tests.harness.builders.cases import NOW_MS, SIGNER, service
from tests.harness.builders.custody_client import FOR_CLIENT
from tests.harness.builders.custody_material import Stream, root_kms
from tests.harness.builders.custody_providers import RaisingKms
from tests.harness.builders.order_executor import OrderExecutor, terms
from tests.harness.builders.state_store import DictStateStore
from tests.harness.builders.vault_events import FUND

CONTEXT, SHARE = b"a place", b"\x01\x02" + b"s" * 32
CLIENTS = VaultCreated(account=FUND, vault=AGENT_KEYS, mode="2of2_client_custody")
STATE_MAC = StateMac(b"k" * 32)


@dataclass
class SlotRun:
    """One run of a slot with its disk and its clock."""

    disk: DictStateStore = field(default_factory=DictStateStore)
    now_ms: int = NOW_MS

    def __post_init__(self) -> None:
        self.memory = Memory(self.disk, STATE_MAC, "0")
        self.executor = OrderExecutor(
            entries=(CLIENTS, AccountOpened(account=FUND)), disk=self.disk
        )
        self.share_keys = ShareKeyRotation(
            self.memory, root_kms(), Stream(f"turns at {self.now_ms}"), lambda: self.now_ms
        )
        self.executor.operations.maintenance.shares = self.share_keys
        self.share_keys.finishing = False

    def maintenance(self) -> list[Outgoing]:
        events = self.executor.operations.maintenance.rotate_share_keys(self.now_ms)
        return [event for event in events if event.topic is Topic.VAULT]

    def commit(self) -> None:
        update = {"share_version": self.share_keys.version}
        self.disk.commit(self.memory.drain(self.memory.slot.model_copy(update=update)))

    def rotate(self) -> str:
        """Make and commit the next key; return its public key."""
        (announcement,) = self.maintenance()
        self.commit()
        return ShareKeyAnnounced.decode(announcement.value).public_key

    def opens(self, public_key: str) -> bytes:
        return bytes(self.share_keys.open(sealed(public_key), CONTEXT))


def sealed(public_key: str) -> ClientShare:
    box = seal_for(public_key, SHARE, CONTEXT)
    return ClientShare(key_version=1, share_key=public_key, box=f"0x{box.hex()}")


@contextmanager
def frozen_root(slot: SlotRun) -> Iterator[None]:
    sound, slot.share_keys._root = slot.share_keys._root, RaisingKms(KmsUnavailableError("no"))  # noqa: SLF001
    yield
    slot.share_keys._root = sound  # noqa: SLF001


def test_a_share_key_is_made_and_announced_once_per_rotation_period() -> None:
    slot = SlotRun()
    public_key = slot.rotate()
    assert slot.maintenance() == []
    slot.now_ms += ROTATE_AFTER_MS - 1
    assert slot.maintenance() == []
    slot.now_ms += 1
    assert slot.rotate() != public_key
    assert slot.executor.register.share_keys[FUND].version == 2


def test_a_signer_without_clients_makes_no_share_key() -> None:
    slot = SlotRun()
    slot.executor = OrderExecutor()
    slot.executor.operations.maintenance.shares = slot.share_keys
    assert slot.maintenance() == []
    assert slot.share_keys.current is None
    with pytest.raises(ClientShareMissingError):
        slot.opens("0x" + "09" * 31 + "00")


def test_a_vault_of_an_unopened_account_gets_the_announcement_once_it_is_opened() -> None:
    slot = SlotRun()
    slot.executor = OrderExecutor(entries=(CLIENTS,), disk=slot.disk)
    slot.executor.operations.maintenance.shares = slot.share_keys
    assert slot.maintenance() == []
    slot.executor.registry.apply(slot.executor.operator.write(AccountOpened(account=FUND)))
    (announcement,) = slot.maintenance()
    assert ShareKeyAnnounced.decode(announcement.value).account == FUND


def test_accounts_of_other_slots_get_no_announcement() -> None:
    slot = SlotRun()
    slot.executor.operations.maintenance.owns = lambda _: False
    assert slot.maintenance() == []


def test_queued_shares_open_after_restart_and_rotation_until_the_overlap_ends() -> None:
    slot = SlotRun()
    first = slot.rotate()
    slot.now_ms += ROTATE_AFTER_MS
    second = slot.rotate()
    later = SlotRun(slot.disk, slot.now_ms + OVERLAP_MS)
    assert later.opens(first) == later.opens(second) == SHARE
    later.now_ms += 1
    assert later.opens(second) == SHARE
    with pytest.raises(ClientShareMissingError):
        later.opens(first)


def test_a_crash_before_the_commit_keeps_the_announced_key() -> None:
    slot = SlotRun()
    first = slot.rotate()
    slot.now_ms += ROTATE_AFTER_MS
    slot.maintenance()  # crashes before the commit
    later = SlotRun(slot.disk, slot.now_ms)
    assert later.opens(first) == SHARE
    assert later.share_keys.version == 1
    later.executor.register.load(announcement(slot, 1), later.executor.registry)
    assert later.rotate() != first


def announcement(slot: SlotRun, version: int) -> bytes:
    """Return the committed announcement of a share key."""
    events = slot.executor.register.events.values()
    return next(
        event.encode()
        for event in events
        if isinstance(event, ShareKeyAnnounced) and event.version == version
    )


def test_a_key_is_erased_only_after_recovery_has_finished() -> None:
    slot = SlotRun()
    first = slot.rotate()
    slot.now_ms += ROTATE_AFTER_MS
    second = slot.rotate()
    sealed_first = slot.share_keys._keys.keys[0].ciphertext  # type: ignore[union-attr] # noqa: SLF001
    later = SlotRun(slot.disk, slot.now_ms + OVERLAP_MS + ERASE_AFTER_MS + 1)
    later.share_keys.finishing = True
    later.maintenance()
    assert later.opens(first) == SHARE  # after a long downtime pinned outcomes are signed first
    later.share_keys.finishing = False
    later.maintenance()
    later.commit()
    assert sealed_first.encode() not in b"".join(
        write.value or b"" for write in slot.disk.records.values()
    )
    with pytest.raises(ClientShareMissingError):
        later.opens(first)
    assert later.opens(second) == SHARE


def test_an_unavailable_root_keeps_the_current_key_and_is_recorded_at_intervals() -> None:
    slot = SlotRun()
    first = slot.rotate()
    slot.now_ms += ROTATE_AFTER_MS
    with frozen_root(slot):
        (record,) = slot.executor.operations.maintenance.rotate_share_keys(slot.now_ms)
        assert action_of(record.value) == "share.key.failed"
        assert (
            slot.executor.operations.maintenance.rotate_share_keys(slot.now_ms + RETRY_MS - 1) == []
        )
    slot.now_ms += RETRY_MS
    assert slot.opens(first) == SHARE
    assert slot.rotate() != first


@pytest.mark.parametrize("back", [True, False])
def test_rolled_back_or_missing_share_keys_halt_the_signer(*, back: bool) -> None:
    slot = SlotRun()
    slot.rotate()
    ((state_key, old),) = [(k, w) for k, w in slot.disk.records.items() if k.kind == "shares"]
    slot.now_ms += ROTATE_AFTER_MS
    slot.rotate()
    if back:
        slot.disk.put(old)
    else:
        del slot.disk.records[state_key]
    with pytest.raises(StateRollbackError, match="share keys"):
        SlotRun(slot.disk)


def announced(by: Ed25519Signer = SIGNER, **changes: object) -> bytes:
    slot = SlotRun()
    (announcement,) = slot.maintenance()
    event = ShareKeyAnnounced.decode(announcement.value).model_copy(
        update=changes | {"signature": None}
    )
    return by.sign_event(event)


@pytest.mark.parametrize(
    ("raw", "because"),
    [
        (announced(Ed25519Signer("signer-1", b"!" * 32)), "not signed"),
        (announced(public_key="0x" + "09" * 32), r"\bid\b"),
        (announced(version=2), r"\bid\b"),
        (announced(account="ops"), r"\bid\b"),
        (b"{}", "malformed"),
    ],
)
def test_a_forged_announcement_is_refused(raw: bytes, because: str) -> None:
    slot = SlotRun()
    with pytest.raises(KeyOrderError, match=because):
        slot.executor.register.load(raw, slot.executor.registry)


def test_a_replayed_announcement_does_not_restore_a_former_key() -> None:
    slot = SlotRun()
    (first,) = slot.maintenance()
    slot.commit()
    slot.now_ms += ROTATE_AFTER_MS
    second = slot.rotate()
    slot.executor.register.load(first.value, slot.executor.registry)
    assert slot.executor.register.share_keys[FUND].public_key == second
    other = SlotRun()
    other.executor.register.load(
        announcement(slot, 2),
        other.executor.registry,
    )
    with pytest.raises(KeyOrderError, match=r"share key 1 .*2"):
        other.executor.register.load(first.value, other.executor.registry)


NEXT_SIGNER = Ed25519Signer(SIGNER.keyid, b"n" * 32)


def replaced(by: Ed25519Signer = NEXT_SIGNER, **changes: object) -> SlotRun:
    """Return a run that announced its share key, and whose signer key was then revoked."""
    slot = SlotRun()
    slot.rotate()
    executor = slot.executor
    executor.registry.apply(executor.operator.write(service(by, "signer", **changes)))
    return slot


@pytest.mark.parametrize("slot", [replaced(), replaced(SIGNER, active=False)])
def test_share_keys_announced_with_a_revoked_key_are_not_published(
    slot: SlotRun,
) -> None:
    """An old announcement stays valid as history, but clients must not seal to it any more."""
    register, registry = slot.executor.register, slot.executor.registry
    assert registry_snapshot(registry, register)["share_keys"] == {}
    public_key = "0x" + "09" * 32
    name = announcement_id(FUND, 2, public_key)
    register.load(announced(SIGNER, version=2, public_key=public_key, id=name), registry)
    assert registry_snapshot(registry, register)["share_keys"] == {}


def test_a_signer_with_a_new_key_announces_the_next_share_key_immediately() -> None:
    slot = replaced()
    maintenance = slot.executor.operations.maintenance
    maintenance.identity = NEXT_SIGNER
    public_key = slot.rotate()
    assert slot.maintenance() == []
    assert registry_snapshot(slot.executor.registry, slot.executor.register)["share_keys"] == {
        FUND: public_key
    }
    assert slot.share_keys.version == 2


def test_announcements_to_many_accounts_are_split_over_commits() -> None:
    """One commit for all of them would exceed its time limit at every start."""
    slot = SlotRun()
    crowd = [f"account-{number}" for number in range(ANNOUNCED_MAX)]
    for name in crowd:
        own = VaultCreated(account=name, vault=AGENT_KEYS, mode="2of2_client_custody")
        for entry in (own, AccountOpened(account=name)):
            slot.executor.registry.apply(slot.executor.operator.write(entry))
    for version in (1, 2):
        batches = [slot.maintenance() for _ in range(3)]
        slot.commit()
        assert list(map(len, batches)) == [ANNOUNCED_MAX, 1, 0]
        assert slot.share_keys.version == version
        slot.executor.registry.apply(slot.executor.operator.write(service(NEXT_SIGNER, "signer")))
        slot.executor.operations.maintenance.identity = NEXT_SIGNER
    assert {key.version for key in slot.executor.register.share_keys.values()} == {2}


def test_the_handover_of_a_share_is_recorded() -> None:
    executor = OrderExecutor(
        entries=(CLIENTS, AccountOpened(account=FUND)), holders=Holders(root_kms())
    )
    answer = executor.order(KeyRequest(**terms(account=FUND, share_for=FOR_CLIENT)))
    assert KeyProvisioned.decode(answer.value).client_share
    (record,) = executor.records
    access = SecretAccess.decode(record.value)
    assert (access.operation, access.allowed, access.actor) == ("hand-over", True, "admin-0")
    assert (access.account, access.vault, access.version) == (FUND, AGENT_KEYS, 1)
