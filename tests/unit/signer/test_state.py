import pytest

from signer.stage.state import MAC_BYTES, SlotState, StateIntegrityError, StateKey, StateMac

STATE_MAC = StateMac(b"k" * 32)
PLACE = StateKey("treasury", "live", "0x01")
SEALED = STATE_MAC.protect(PLACE, b"body")


def test_a_sealed_record_opens_under_its_key() -> None:
    assert STATE_MAC.verify(PLACE, SEALED) == b"body"
    assert STATE_MAC.verify(PLACE, STATE_MAC.protect(PLACE, b"")) == b""


@pytest.mark.parametrize(
    "place",
    [
        StateKey("treasury2", "live", "0x01"),
        StateKey("treasury", "head", "0x01"),
        StateKey("treasury", "live", "0x02"),
        StateKey("treasury", "live", ""),
        StateKey("", "slot", "0"),
    ],
)
def test_a_record_does_not_open_under_another_key(place: StateKey) -> None:
    with pytest.raises(StateIntegrityError, match="restore"):
        STATE_MAC.verify(place, SEALED)


@pytest.mark.parametrize("position", range(len(SEALED)))
def test_a_flipped_bit_is_detected(position: int) -> None:
    damaged = bytearray(SEALED)
    damaged[position] ^= 1
    with pytest.raises(StateIntegrityError):
        STATE_MAC.verify(PLACE, bytes(damaged))


@pytest.mark.parametrize("length", [0, 1, MAC_BYTES - 1, MAC_BYTES, len(SEALED) - 1])
def test_a_truncated_record_is_detected(length: int) -> None:
    with pytest.raises(StateIntegrityError):
        STATE_MAC.verify(PLACE, SEALED[:length])


def test_an_extended_record_is_detected() -> None:
    with pytest.raises(StateIntegrityError):
        STATE_MAC.verify(PLACE, SEALED + b"\x00")


def test_another_mac_key_opens_and_forges_nothing() -> None:
    other = StateMac(b"K" * 32)
    with pytest.raises(StateIntegrityError):
        other.verify(PLACE, SEALED)
    assert other.element(SEALED) != STATE_MAC.element(SEALED)
    assert other.set_digest(1) != STATE_MAC.set_digest(1)


def test_the_border_between_key_and_body_cannot_be_shifted() -> None:
    long = StateKey("treasury", "live", "0x01body")
    assert STATE_MAC.protect(long, b"")[:MAC_BYTES] != SEALED[:MAC_BYTES]


def test_the_elements_of_the_set_digest_do_not_show_in_the_records() -> None:
    mac = int.from_bytes(SEALED[:MAC_BYTES], "big")
    assert STATE_MAC.element(SEALED) != mac
    total = STATE_MAC.element(SEALED)
    shown = {int(STATE_MAC.set_digest(sum_), 16) for sum_ in (total, 2 * total)}
    assert not shown & {mac, total, 2 * mac % 2**256, 2 * total % 2**256}
    assert STATE_MAC.element(SEALED) != int(STATE_MAC.set_digest(mac), 16)


def test_sums_are_taken_modulo_2_to_the_256th() -> None:
    assert STATE_MAC.set_digest(-1) == STATE_MAC.set_digest(2**256 - 1)
    assert STATE_MAC.set_digest(0) != STATE_MAC.set_digest(1)


def test_the_mac_key_shows_in_no_representation() -> None:
    key = bytes(range(32))
    for text in (repr(StateMac(key)), str(StateMac(key)), f"{StateMac(key)}"):
        assert key.hex() not in text
        assert repr(key) not in text
    with pytest.raises(StateIntegrityError) as damage:
        StateMac(key).verify(PLACE, SEALED)
    assert repr(key) not in str(damage.value)


def test_a_new_slot_has_no_positions() -> None:
    assert SlotState() == SlotState(positions={}, registry_sequence=0, last_ms=0)
