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
from tests.harness.builders.key_desk import Desk
from tests.harness.builders.state_store import DictStateStore

CONTEXT = b"the order"
STATE_KEY = b"k" * 32


@dataclass
class World:
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
def world() -> World:
    return World()


def sealed(public_key: str) -> bytes:
    return seal_for(public_key, bytearray(SECRET), CONTEXT)


@pytest.mark.parametrize("named", [True, False])
def test_the_signer_opens_what_was_sealed_for_it_into_a_buffer(
    world: World, *, named: bool
) -> None:
    first = world.rotate()
    world.pass_by(ROTATE_AFTER_MS)
    for public_key in (first, world.rotate()):
        opened = world.imports.open(sealed(public_key), CONTEXT, public_key if named else None)
        assert isinstance(opened, bytearray)
        assert opened == SECRET


def test_a_box_that_names_another_of_the_signers_keys_does_not_open(world: World) -> None:
    first = world.rotate()
    world.pass_by(ROTATE_AFTER_MS)
    second = world.rotate()
    with pytest.raises(CorruptError, match="does not open"):
        world.imports.open(sealed(first), CONTEXT, second)


def test_an_order_opens_as_long_as_it_may_wait_and_then_not_by_the_signer_either(
    world: World,
) -> None:
    first = world.rotate()
    box = sealed(first)
    world.pass_by(ROTATE_AFTER_MS)
    world.rotate()
    world.pass_by(OVERLAP_MS)
    assert world.imports.open(box, CONTEXT, first) == SECRET
    world.pass_by(1)
    for sealed_for in (first, None):
        with pytest.raises(CorruptError, match=r"erased.*send it again"):
            world.imports.open(box, CONTEXT, sealed_for)


def test_whoever_steals_identity_root_and_state_later_opens_no_box_from_before(
    world: World,
) -> None:
    """The attack: the topic has every box for ever, and the thief all that the signer has."""
    first = world.rotate()
    box = sealed(first)
    world.pass_by(ROTATE_AFTER_MS)
    second = world.rotate()
    assert opened_by_a_thief(world, box) == SECRET, "while it is there, it opens"
    world.pass_by(OVERLAP_MS + ERASE_AFTER_MS + 1)
    assert opened_by_a_thief(world, box) is None
    assert opened_by_a_thief(world, sealed(second)) == SECRET


def opened_by_a_thief(world: World, box: bytes) -> bytes | None:
    """Try every key in a stolen state, at a time at which none had given way."""
    stolen = World(disk=world.disk, now_ms=0)
    kept = stolen.memory.slot_record("shares", ShareKeys)
    assert kept
    assert kept.keys
    try:
        return bytes(stolen.imports.open(box, CONTEXT))
    except CorruptError:
        return None


def test_no_key_follows_from_what_a_signer_keeps_for_ever(world: World) -> None:
    public_key = world.rotate()
    other = World(seed="another life")
    assert other.rotate() != public_key
    with pytest.raises(CorruptError):
        HpkeKey(STATE_KEY[:KEY_BYTES]).open(sealed(public_key), CONTEXT)


def test_a_box_opens_neither_for_another_order_nor_for_another_signer(world: World) -> None:
    public_key = world.rotate()
    other = World(seed="other")
    other.rotate()
    with pytest.raises(CorruptError):
        world.imports.open(sealed(public_key), b"another order", public_key)
    for sealed_for in (public_key, None):
        with pytest.raises(CorruptError, match="another signer"):
            other.imports.open(sealed(public_key), CONTEXT, sealed_for)
    with pytest.raises(CorruptError, match="another signer"):
        World(seed="none yet").imports.open(sealed(public_key), CONTEXT)


@pytest.mark.parametrize("at", range(0, 80, 7))
def test_a_box_with_one_bit_changed_or_cut_short_does_not_open(world: World, at: int) -> None:
    public_key = world.rotate()
    box = sealed(public_key)
    changed = bytearray(box)
    changed[at] ^= 1
    for broken in (bytes(changed), box[:at]):
        with pytest.raises(CorruptError, match="send it again"):
            world.imports.open(broken, CONTEXT, public_key)


def test_a_point_that_gives_everybody_the_same_secret_is_refused(world: World) -> None:
    with pytest.raises(ValueError, match=r"."):
        seal_for("0x" + "00" * 32, SECRET, CONTEXT)
    with pytest.raises(CorruptError):
        world.imports.open(bytes(32) + sealed(world.rotate())[32:], CONTEXT)


def test_a_box_of_another_suite_does_not_open(world: World) -> None:
    public_key = world.rotate()
    suite = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
    recipient = X25519PublicKey.from_public_bytes(bytes.fromhex(public_key[2:]))
    with pytest.raises(CorruptError):
        world.imports.open(suite.encrypt(SECRET, recipient, CONTEXT), CONTEXT, public_key)


def test_a_root_that_does_not_answer_is_told_as_such_and_not_as_a_wrong_box(world: World) -> None:
    public_key = world.rotate()
    world.share_keys._root = RaisingKms(KmsUnavailableError("no"))  # noqa: SLF001
    for sealed_for in (public_key, None):
        with pytest.raises(KmsUnavailableError):
            world.imports.open(sealed(public_key), CONTEXT, sealed_for)


def told(*entries: Entry) -> list[str]:
    """Return the accounts that a signer of these entries announces its key to."""
    desk = Desk(entries=entries)
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
