import pytest

from signer.state import MAC_BYTES, Sealer, SlotState, StateIntegrityError, StateKey

SEALER = Sealer(b"k" * 32)
PLACE = StateKey("treasury", "live", "0x01")
SEALED = SEALER.seal(PLACE, b"body")


def test_a_sealed_record_opens_under_its_key() -> None:
    assert SEALER.open(PLACE, SEALED) == b"body"
    assert SEALER.open(PLACE, SEALER.seal(PLACE, b"")) == b""


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
        SEALER.open(place, SEALED)


@pytest.mark.parametrize("position", range(len(SEALED)))
def test_a_flipped_bit_is_detected(position: int) -> None:
    damaged = bytearray(SEALED)
    damaged[position] ^= 1
    with pytest.raises(StateIntegrityError):
        SEALER.open(PLACE, bytes(damaged))


@pytest.mark.parametrize("length", [0, 1, MAC_BYTES - 1, MAC_BYTES, len(SEALED) - 1])
def test_a_truncated_record_is_detected(length: int) -> None:
    with pytest.raises(StateIntegrityError):
        SEALER.open(PLACE, SEALED[:length])


def test_an_extended_record_is_detected() -> None:
    with pytest.raises(StateIntegrityError):
        SEALER.open(PLACE, SEALED + b"\x00")


def test_another_mac_key_opens_and_forges_nothing() -> None:
    other = Sealer(b"K" * 32)
    with pytest.raises(StateIntegrityError):
        other.open(PLACE, SEALED)
    assert other.element(SEALED) != SEALER.element(SEALED)
    assert other.set_digest(1) != SEALER.set_digest(1)


def test_the_border_between_key_and_body_cannot_be_shifted() -> None:
    long = StateKey("treasury", "live", "0x01body")
    assert SEALER.seal(long, b"")[:MAC_BYTES] != SEALED[:MAC_BYTES]


def test_the_elements_of_the_set_digest_do_not_show_in_the_records() -> None:
    mac = int.from_bytes(SEALED[:MAC_BYTES], "big")
    assert SEALER.element(SEALED) != mac
    total = SEALER.element(SEALED)
    shown = {int(SEALER.set_digest(sum_), 16) for sum_ in (total, 2 * total)}
    assert not shown & {mac, total, 2 * mac % 2**256, 2 * total % 2**256}
    assert SEALER.element(SEALED) != int(SEALER.set_digest(mac), 16)


def test_sums_are_taken_modulo_2_to_the_256th() -> None:
    assert SEALER.set_digest(-1) == SEALER.set_digest(2**256 - 1)
    assert SEALER.set_digest(0) != SEALER.set_digest(1)


def test_the_mac_key_shows_in_no_representation() -> None:
    key = bytes(range(32))
    for text in (repr(Sealer(key)), str(Sealer(key)), f"{Sealer(key)}"):
        assert key.hex() not in text
        assert repr(key) not in text
    with pytest.raises(StateIntegrityError) as damage:
        Sealer(key).open(PLACE, SEALED)
    assert repr(key) not in str(damage.value)


def test_a_new_slot_has_no_positions() -> None:
    assert SlotState() == SlotState(positions={}, registry_sequence=0, last_ms=0)
