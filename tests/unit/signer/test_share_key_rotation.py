"""Share keys take turns, are announced, outlive deaths with what is queued, and are erased."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from schemas.access import SecretAccess
from schemas.audit import action_of
from schemas.client_share import ClientShare
from schemas.custody import AGENT_KEYS
from schemas.keys import KeyProvisioned, KeyRequest
from schemas.record import Outgoing
from schemas.registry import AccountOpened, VaultCreated
from schemas.topics import Topic
from schemas.vault_events import ShareKeyAnnounced, announcement_id
from signer.custody.errors import ClientShareMissingError, KmsUnavailableError
from signer.custody.hpke import seal_for
from signer.custody.sealing import Holders
from signer.custody.share_key import OVERLAP_MS
from signer.keys.orders import KeyOrderError
from signer.memory import Memory
from signer.share_key_rotation import ERASE_AFTER_MS, ROTATE_AFTER_MS, ShareKeyRotation
from signer.signatures import Ed25519Signer
from signer.state import Sealer, StateRollbackError
from sixgate.answers.snapshot import registry_snapshot
from streams.runners.custody_maintenance import ANNOUNCED_MAX, RETRY_MS
from tests.harness.builders.cases import NOW_MS, SIGNER, service
from tests.harness.builders.custody_client import FOR_CLIENT
from tests.harness.builders.custody_material import Stream, root_kms
from tests.harness.builders.custody_providers import RaisingKms
from tests.harness.builders.order_executor import OrderExecutor, terms
from tests.harness.builders.state_store import DictStateStore
from tests.harness.builders.vault_events import FUND

CONTEXT, SHARE = b"a place", b"\x01\x02" + b"s" * 32
CLIENTS = VaultCreated(account=FUND, vault=AGENT_KEYS, mode="2of2_client_custody")
SEALER = Sealer(b"k" * 32)


@dataclass
class Life:
    """One life of a slot that has a disk of its own, and its time."""

    disk: DictStateStore = field(default_factory=DictStateStore)
    now_ms: int = NOW_MS

    def __post_init__(self) -> None:
        self.memory = Memory(self.disk, SEALER, "0")
        self.desk = OrderExecutor(entries=(CLIENTS, AccountOpened(account=FUND)), disk=self.disk)
        self.share_keys = ShareKeyRotation(
            self.memory, root_kms(), Stream(f"turns at {self.now_ms}"), lambda: self.now_ms
        )
        self.desk.operations.maintenance.shares = self.share_keys
        self.share_keys.finishing = False

    def maintenance(self) -> list[Outgoing]:
        said = self.desk.operations.maintenance.rotate_share_keys(self.now_ms)
        return [event for event in said if event.topic is Topic.VAULT]

    def commit(self) -> None:
        update = {"share_version": self.share_keys.version}
        self.disk.commit(self.memory.drain(self.memory.slot.model_copy(update=update)))

    def rotate(self) -> str:
        """Let the next key be made and committed; return its public key."""
        (said,) = self.maintenance()
        self.commit()
        return ShareKeyAnnounced.decode(said.value).public_key

    def opens(self, public_key: str) -> bytes:
        return bytes(self.share_keys.open(sealed(public_key), CONTEXT))


def sealed(public_key: str) -> ClientShare:
    box = seal_for(public_key, SHARE, CONTEXT)
    return ClientShare(key_version=1, share_key=public_key, box=f"0x{box.hex()}")


@contextmanager
def frozen_root(life: Life) -> Iterator[None]:
    sound, life.share_keys._root = life.share_keys._root, RaisingKms(KmsUnavailableError("no"))  # noqa: SLF001
    yield
    life.share_keys._root = sound  # noqa: SLF001


def test_a_key_is_made_once_announced_once_and_in_force_until_its_turn_is_over() -> None:
    life = Life()
    public_key = life.rotate()
    assert life.maintenance() == []
    life.now_ms += ROTATE_AFTER_MS - 1
    assert life.maintenance() == []
    life.now_ms += 1
    assert life.rotate() != public_key
    assert life.desk.said.share_keys[FUND].version == 2


def test_a_signer_without_clients_has_no_share_key_and_asks_no_kms_for_one() -> None:
    life = Life()
    life.desk = OrderExecutor()
    life.desk.operations.maintenance.shares = life.share_keys
    assert life.maintenance() == []
    assert life.share_keys.current is None
    with pytest.raises(ClientShareMissingError):
        life.opens("0x" + "09" * 31 + "00")


def test_a_vault_of_an_account_to_come_stops_no_signer_and_is_told_once_that_is_open() -> None:
    life = Life()
    life.desk = OrderExecutor(entries=(CLIENTS,), disk=life.disk)
    life.desk.operations.maintenance.shares = life.share_keys
    assert life.maintenance() == []
    life.desk.registry.apply(life.desk.operator.write(AccountOpened(account=FUND)))
    (said,) = life.maintenance()
    assert ShareKeyAnnounced.decode(said.value).account == FUND


def test_an_account_that_another_slot_decides_for_is_told_nothing() -> None:
    life = Life()
    life.desk.operations.maintenance.owns = lambda _: False
    assert life.maintenance() == []


def test_what_is_queued_opens_after_a_restart_and_a_turn_for_as_long_as_it_may_wait() -> None:
    life = Life()
    first = life.rotate()
    life.now_ms += ROTATE_AFTER_MS
    second = life.rotate()
    later = Life(life.disk, life.now_ms + OVERLAP_MS)
    assert later.opens(first) == later.opens(second) == SHARE
    later.now_ms += 1
    assert later.opens(second) == SHARE
    with pytest.raises(ClientShareMissingError):
        later.opens(first)


def test_a_death_before_the_commit_leaves_the_key_that_was_announced() -> None:
    life = Life()
    first = life.rotate()
    life.now_ms += ROTATE_AFTER_MS
    life.maintenance()  # and it dies
    later = Life(life.disk, life.now_ms)
    assert later.opens(first) == SHARE
    assert later.share_keys.version == 1
    later.desk.said.load(life_said(life), later.desk.registry)
    assert later.rotate() != first


def life_said(life: Life) -> bytes:
    """Return the announcement that was committed first."""
    return next(e.encode() for e in life.desk.said.announced.values() if e.version == 1)


def test_a_key_is_erased_in_time_and_not_before_what_was_pinned_is_finished() -> None:
    life = Life()
    first = life.rotate()
    life.now_ms += ROTATE_AFTER_MS
    second = life.rotate()
    sealed_first = life.share_keys._keys.keys[0].ciphertext  # type: ignore[union-attr] # noqa: SLF001
    later = Life(life.disk, life.now_ms + OVERLAP_MS + ERASE_AFTER_MS + 1)
    later.share_keys.finishing = True
    later.maintenance()
    assert later.opens(first) == SHARE  # it was down for long; what it pinned is signed first
    later.share_keys.finishing = False
    later.maintenance()
    later.commit()
    assert sealed_first.encode() not in b"".join(
        write.value or b"" for write in life.disk.records.values()
    )
    with pytest.raises(ClientShareMissingError):
        later.opens(first)
    assert later.opens(second) == SHARE


def test_a_root_that_does_not_answer_leaves_the_current_key_and_is_told_now_and_then() -> None:
    life = Life()
    first = life.rotate()
    life.now_ms += ROTATE_AFTER_MS
    with frozen_root(life):
        (told,) = life.desk.operations.maintenance.rotate_share_keys(life.now_ms)
        assert action_of(told.value) == "share.key.failed"
        assert life.desk.operations.maintenance.rotate_share_keys(life.now_ms + RETRY_MS - 1) == []
    life.now_ms += RETRY_MS
    assert life.opens(first) == SHARE
    assert life.rotate() != first


@pytest.mark.parametrize("back", [True, False])
def test_share_keys_that_went_back_or_are_gone_halt_the_signer(*, back: bool) -> None:
    life = Life()
    life.rotate()
    ((place, old),) = [(k, w) for k, w in life.disk.records.items() if k.kind == "shares"]
    life.now_ms += ROTATE_AFTER_MS
    life.rotate()
    if back:
        life.disk.put(old)
    else:
        del life.disk.records[place]
    with pytest.raises(StateRollbackError, match="share keys"):
        Life(life.disk)


def announced(by: Ed25519Signer = SIGNER, **changes: object) -> bytes:
    life = Life()
    (said,) = life.maintenance()
    event = ShareKeyAnnounced.decode(said.value).model_copy(update=changes | {"signature": None})
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
def test_a_share_key_that_the_signer_did_not_announce_so_is_refused(
    raw: bytes, because: str
) -> None:
    life = Life()
    with pytest.raises(KeyOrderError, match=because):
        life.desk.said.load(raw, life.desk.registry)


def test_an_announcement_that_is_replayed_brings_no_former_key_back() -> None:
    life = Life()
    (first,) = life.maintenance()
    life.commit()
    life.now_ms += ROTATE_AFTER_MS
    second = life.rotate()
    life.desk.said.load(first.value, life.desk.registry)
    assert life.desk.said.share_keys[FUND].public_key == second
    other = Life()
    other.desk.said.load(
        next(e.encode() for e in life.desk.said.announced.values() if e.version == 2),
        other.desk.registry,
    )
    with pytest.raises(KeyOrderError, match=r"share key 1 .*2"):
        other.desk.said.load(first.value, other.desk.registry)


NEXT_SIGNER = Ed25519Signer(SIGNER.keyid, b"n" * 32)


def replaced(by: Ed25519Signer = NEXT_SIGNER, **changes: object) -> Life:
    """Return a life that told its share key, whose signer then got another key or was taken out."""
    life = Life()
    life.rotate()
    desk = life.desk
    desk.registry.apply(desk.operator.write(service(by, "signer", **changes)))
    return life


@pytest.mark.parametrize("life", [replaced(), replaced(SIGNER, active=False)])
def test_what_a_thief_announces_by_a_key_that_was_taken_back_is_sealed_for_by_nobody(
    life: Life,
) -> None:
    """What a signer said is true for ever; that somebody should trust it now is not."""
    said, registry = life.desk.said, life.desk.registry
    assert registry_snapshot(registry, said)["share_keys"] == {}
    public_key = "0x" + "09" * 32
    name = announcement_id(FUND, 2, public_key)
    said.load(announced(SIGNER, version=2, public_key=public_key, id=name), registry)
    assert registry_snapshot(registry, said)["share_keys"] == {}


def test_a_signer_whose_key_was_replaced_tells_the_next_share_key_at_once() -> None:
    life = replaced()
    maintenance = life.desk.operations.maintenance
    maintenance.identity = NEXT_SIGNER
    told = life.rotate()
    assert life.maintenance() == []
    assert registry_snapshot(life.desk.registry, life.desk.said)["share_keys"] == {FUND: told}
    assert life.share_keys.version == 2


def test_many_accounts_are_told_some_at_a_time_also_by_a_signer_with_another_key() -> None:
    """One commit for all of them would be over its time again after every start."""
    life = Life()
    crowd = [f"account-{number}" for number in range(ANNOUNCED_MAX)]
    for name in crowd:
        own = VaultCreated(account=name, vault=AGENT_KEYS, mode="2of2_client_custody")
        for entry in (own, AccountOpened(account=name)):
            life.desk.registry.apply(life.desk.operator.write(entry))
    for version in (1, 2):
        told = [life.maintenance() for _ in range(3)]
        life.commit()
        assert list(map(len, told)) == [ANNOUNCED_MAX, 1, 0]
        assert life.share_keys.version == version
        life.desk.registry.apply(life.desk.operator.write(service(NEXT_SIGNER, "signer")))
        life.desk.operations.maintenance.identity = NEXT_SIGNER
    assert {key.version for key in life.desk.said.share_keys.values()} == {2}


def test_a_share_that_is_handed_over_is_on_record() -> None:
    desk = OrderExecutor(
        entries=(CLIENTS, AccountOpened(account=FUND)), holders=Holders(root_kms())
    )
    said = desk.order(KeyRequest(**terms(account=FUND, share_for=FOR_CLIENT)))
    assert KeyProvisioned.decode(said.value).client_share
    (record,) = desk.records
    told = SecretAccess.decode(record.value)
    assert (told.operation, told.allowed, told.actor) == ("hand-over", True, "admin-0")
    assert (told.account, told.vault, told.version) == (FUND, AGENT_KEYS, 1)
