"""Import boxes: bound to one signer and one order, and unreadable once their key is erased."""

from dataclasses import dataclass, field

import pytest
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from schemas.keys.vault_events import ShareKeyAnnounced
from schemas.record import Outgoing
from schemas.registry.records import AccountOpened, AddressClaimed, Entry, VaultCreated
from schemas.topics import Topic
from signer.custody.errors import CorruptError, KmsUnavailableError
from signer.custody.hpke import KEY_BYTES, HpkeKey, seal_for
from signer.custody.share_key import OVERLAP_MS
from signer.keys.key_import import ShareKeyImportBoxes
from signer.keys.share_key_rotation import ERASE_AFTER_MS, ROTATE_AFTER_MS, ShareKeyRotation
from signer.stage.memory import Memory
from signer.stage.state import StateMac
from tests.harness.builders.cases import ACCOUNT, NOW_MS, ORG, SIGNER
from tests.harness.builders.custody_material import SECRET, Stream, root_kms
from tests.harness.builders.custody_providers import RaisingKms
from tests.harness.builders.order_executor import OrderExecutor
from tests.harness.builders.state_store import DictStateStore

CONTEXT = b"the order"
STATE_KEY = b"k" * 32


@dataclass
class SlotRuns:
    """A slot's share keys on a disk, and a clock."""

    seed: str = "turns"
    now_ms: int = NOW_MS
    disk: DictStateStore = field(default_factory=DictStateStore)

    def __post_init__(self) -> None:
        self.memory = Memory(self.disk, StateMac(STATE_KEY), "0")
        source = Stream(self.seed)
        self.share_keys = ShareKeyRotation(self.memory, root_kms(), source, lambda: self.now_ms)
        self.share_keys.finishing = False
        self.imports = ShareKeyImportBoxes(self.share_keys)

    def rotate(self) -> str:
        self.share_keys.rotate(ORG, SIGNER.keyid, self.now_ms)
        self.commit()
        assert self.share_keys.current
        return self.share_keys.current.public_key

    def commit(self) -> None:
        update = {"share_version": self.share_keys.version}
        self.disk.commit(self.memory.drain(self.memory.slot.model_copy(update=update)))

    def pass_by(self, ms: int) -> None:
        self.now_ms += ms
        self.share_keys.erase(self.now_ms)
        self.commit()


@pytest.fixture
def slot() -> SlotRuns:
    return SlotRuns()


def sealed(public_key: str) -> bytes:
    return seal_for(public_key, bytearray(SECRET), CONTEXT)


@pytest.mark.parametrize("named", [True, False])
def test_the_signer_opens_its_boxes_into_a_buffer(slot: SlotRuns, *, named: bool) -> None:
    first = slot.rotate()
    slot.pass_by(ROTATE_AFTER_MS)
    for public_key in (first, slot.rotate()):
        opened = slot.imports.open(sealed(public_key), CONTEXT, public_key if named else None)
        assert isinstance(opened, bytearray)
        assert opened == SECRET


def test_a_box_that_names_another_share_key_does_not_open(slot: SlotRuns) -> None:
    first = slot.rotate()
    slot.pass_by(ROTATE_AFTER_MS)
    second = slot.rotate()
    with pytest.raises(CorruptError, match="does not open"):
        slot.imports.open(sealed(first), CONTEXT, second)


def test_a_box_opens_until_the_overlap_of_its_share_key_ends(
    slot: SlotRuns,
) -> None:
    first = slot.rotate()
    box = sealed(first)
    slot.pass_by(ROTATE_AFTER_MS)
    slot.rotate()
    slot.pass_by(OVERLAP_MS)
    assert slot.imports.open(box, CONTEXT, first) == SECRET
    slot.pass_by(1)
    for sealed_for in (first, None):
        with pytest.raises(CorruptError, match=r"erased.*send it again"):
            slot.imports.open(box, CONTEXT, sealed_for)


def test_stolen_identity_root_and_state_open_no_box_of_an_erased_key(
    slot: SlotRuns,
) -> None:
    """The attacker has every box of the topic, and later steals everything the signer has."""
    first = slot.rotate()
    box = sealed(first)
    slot.pass_by(ROTATE_AFTER_MS)
    second = slot.rotate()
    assert opened_with_stolen_state(slot, box) == SECRET, "the key still exists"
    slot.pass_by(OVERLAP_MS + ERASE_AFTER_MS + 1)
    assert opened_with_stolen_state(slot, box) is None
    assert opened_with_stolen_state(slot, sealed(second)) == SECRET


def opened_with_stolen_state(slot: SlotRuns, box: bytes) -> bytes | None:
    """Try every key of a stolen state, with the clock set back."""
    stolen = SlotRuns(disk=slot.disk, now_ms=0)
    keys = stolen.memory.share_keys()
    assert keys
    assert keys.keys
    try:
        return bytes(stolen.imports.open(box, CONTEXT))
    except CorruptError:
        return None


def test_share_keys_do_not_derive_from_permanent_keys(slot: SlotRuns) -> None:
    public_key = slot.rotate()
    other = SlotRuns(seed="another life")
    assert other.rotate() != public_key
    with pytest.raises(CorruptError):
        HpkeKey(STATE_KEY[:KEY_BYTES]).open(sealed(public_key), CONTEXT)


def test_a_box_is_bound_to_its_order_and_signer(slot: SlotRuns) -> None:
    public_key = slot.rotate()
    other = SlotRuns(seed="other")
    other.rotate()
    with pytest.raises(CorruptError):
        slot.imports.open(sealed(public_key), b"another order", public_key)
    for sealed_for in (public_key, None):
        with pytest.raises(CorruptError, match="another signer"):
            other.imports.open(sealed(public_key), CONTEXT, sealed_for)
    with pytest.raises(CorruptError, match="another signer"):
        SlotRuns(seed="none yet").imports.open(sealed(public_key), CONTEXT)


@pytest.mark.parametrize("at", range(0, 80, 7))
def test_a_changed_or_truncated_box_does_not_open(slot: SlotRuns, at: int) -> None:
    public_key = slot.rotate()
    box = sealed(public_key)
    changed = bytearray(box)
    changed[at] ^= 1
    for broken in (bytes(changed), box[:at]):
        with pytest.raises(CorruptError, match="send it again"):
            slot.imports.open(broken, CONTEXT, public_key)


def test_a_low_order_point_is_rejected(slot: SlotRuns) -> None:
    with pytest.raises(ValueError, match=r"."):
        seal_for("0x" + "00" * 32, SECRET, CONTEXT)
    with pytest.raises(CorruptError):
        slot.imports.open(bytes(32) + sealed(slot.rotate())[32:], CONTEXT)


def test_a_box_of_another_suite_does_not_open(slot: SlotRuns) -> None:
    public_key = slot.rotate()
    suite = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
    recipient = X25519PublicKey.from_public_bytes(bytes.fromhex(public_key[2:]))
    with pytest.raises(CorruptError):
        slot.imports.open(suite.encrypt(SECRET, recipient, CONTEXT), CONTEXT, public_key)


def test_an_unavailable_root_is_not_reported_as_a_wrong_box(slot: SlotRuns) -> None:
    public_key = slot.rotate()
    slot.share_keys._root = RaisingKms(KmsUnavailableError("no"))  # noqa: SLF001
    for sealed_for in (public_key, None):
        with pytest.raises(KmsUnavailableError):
            slot.imports.open(sealed(public_key), CONTEXT, sealed_for)


def announced_to(*entries: Entry) -> list[str]:
    """Return the accounts that a signer of these entries announces its key to."""
    executor = OrderExecutor(entries=entries)
    executor.shares.finishing = False
    outgoing: list[Outgoing] = executor.operations.maintenance.rotate_share_keys(NOW_MS)
    events = [ShareKeyAnnounced.decode(one.value) for one in outgoing if one.topic is Topic.VAULT]
    return [event.account for event in events]


def test_share_keys_are_announced_only_to_accounts_that_need_them() -> None:
    claim = AddressClaimed(account=ACCOUNT, address="0x" + "ab" * 20)
    secrets = VaultCreated(account="shop", vault="main")
    keys = VaultCreated(account="ops", vault="__treasury-keys", mode="2of3_multi_hsm")
    assert announced_to() == []
    assert announced_to(keys) == []
    assert announced_to(claim) == [ACCOUNT]
    assert announced_to(AccountOpened(account="shop"), claim, secrets) == sorted([ACCOUNT, "shop"])
