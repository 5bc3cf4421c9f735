"""What is imported opens for one signer and one order, for a while, and then for nobody."""

from dataclasses import dataclass, field

import pytest
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from schemas.record import Outgoing
from schemas.registry import AccountOpened, AddressClaimed, Entry, VaultCreated
from schemas.topics import Topic
from schemas.vault_events import ShareKeyAnnounced
from signer.custody.errors import CorruptError, KmsUnavailableError
from signer.custody.hpke import KEY_BYTES, HpkeKey, seal_for
from signer.custody.share_key import OVERLAP_MS, ShareKeys
from signer.key_import import ShareKeyImportBoxes
from signer.memory import Memory
from signer.share_key_rotation import ERASE_AFTER_MS, ROTATE_AFTER_MS, ShareKeyRotation
from signer.state import Sealer
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
        self.memory = Memory(self.disk, Sealer(STATE_KEY), "0")
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
def test_the_signer_opens_what_was_sealed_for_it_into_a_buffer(
    slot: SlotRuns, *, named: bool
) -> None:
    first = slot.rotate()
    slot.pass_by(ROTATE_AFTER_MS)
    for public_key in (first, slot.rotate()):
        opened = slot.imports.open(sealed(public_key), CONTEXT, public_key if named else None)
        assert isinstance(opened, bytearray)
        assert opened == SECRET


def test_a_box_that_names_another_of_the_signers_keys_does_not_open(slot: SlotRuns) -> None:
    first = slot.rotate()
    slot.pass_by(ROTATE_AFTER_MS)
    second = slot.rotate()
    with pytest.raises(CorruptError, match="does not open"):
        slot.imports.open(sealed(first), CONTEXT, second)


def test_an_order_opens_as_long_as_it_may_wait_and_then_not_by_the_signer_either(
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


def test_whoever_steals_identity_root_and_state_later_opens_no_box_from_before(
    slot: SlotRuns,
) -> None:
    """The attack: the topic has every box for ever, and the thief all that the signer has."""
    first = slot.rotate()
    box = sealed(first)
    slot.pass_by(ROTATE_AFTER_MS)
    second = slot.rotate()
    assert opened_by_a_thief(slot, box) == SECRET, "while it is there, it opens"
    slot.pass_by(OVERLAP_MS + ERASE_AFTER_MS + 1)
    assert opened_by_a_thief(slot, box) is None
    assert opened_by_a_thief(slot, sealed(second)) == SECRET


def opened_by_a_thief(slot: SlotRuns, box: bytes) -> bytes | None:
    """Try every key in a stolen state, at a time at which none had given way."""
    stolen = SlotRuns(disk=slot.disk, now_ms=0)
    kept = stolen.memory.slot_record("shares", ShareKeys)
    assert kept
    assert kept.keys
    try:
        return bytes(stolen.imports.open(box, CONTEXT))
    except CorruptError:
        return None


def test_no_key_follows_from_what_a_signer_keeps_for_ever(slot: SlotRuns) -> None:
    public_key = slot.rotate()
    other = SlotRuns(seed="another life")
    assert other.rotate() != public_key
    with pytest.raises(CorruptError):
        HpkeKey(STATE_KEY[:KEY_BYTES]).open(sealed(public_key), CONTEXT)


def test_a_box_opens_neither_for_another_order_nor_for_another_signer(slot: SlotRuns) -> None:
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
def test_a_box_with_one_bit_changed_or_cut_short_does_not_open(slot: SlotRuns, at: int) -> None:
    public_key = slot.rotate()
    box = sealed(public_key)
    changed = bytearray(box)
    changed[at] ^= 1
    for broken in (bytes(changed), box[:at]):
        with pytest.raises(CorruptError, match="send it again"):
            slot.imports.open(broken, CONTEXT, public_key)


def test_a_point_that_gives_everybody_the_same_secret_is_refused(slot: SlotRuns) -> None:
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


def test_a_root_that_does_not_answer_is_told_as_such_and_not_as_a_wrong_box(slot: SlotRuns) -> None:
    public_key = slot.rotate()
    slot.share_keys._root = RaisingKms(KmsUnavailableError("no"))  # noqa: SLF001
    for sealed_for in (public_key, None):
        with pytest.raises(KmsUnavailableError):
            slot.imports.open(sealed(public_key), CONTEXT, sealed_for)


def told(*entries: Entry) -> list[str]:
    """Return the accounts that a signer of these entries announces its key to."""
    desk = OrderExecutor(entries=entries)
    desk.shares.finishing = False
    said: list[Outgoing] = desk.operations.maintenance.rotate_share_keys(NOW_MS)
    events = [ShareKeyAnnounced.decode(one.value) for one in said if one.topic is Topic.VAULT]
    return [event.account for event in events]


def test_a_key_is_told_to_whom_something_is_sealed_for_and_to_nobody_else() -> None:
    claim = AddressClaimed(account=ACCOUNT, address="0x" + "ab" * 20)
    secrets = VaultCreated(account="shop", vault="main")
    keys = VaultCreated(account="ops", vault="__treasury-keys", mode="2of3_multi_hsm")
    assert told() == []
    assert told(keys) == []
    assert told(claim) == [ACCOUNT]
    assert told(AccountOpened(account="shop"), claim, secrets) == sorted([ACCOUNT, "shop"])
