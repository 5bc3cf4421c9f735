"""The chain's bytes, compared with bytes built by hand from docs/format.md."""

import hashlib
import struct

import pytest

from streams.ledger.chain import EMPTY, GENESIS, Entry, Tip, entry_bytes, hash_n, hashes, leaf

ENTRY = Entry("outcomes", 3, 7, "treasury", 1_790_000_000_000, "0x" + "ab" * 32, b'{"a":1}')


def test_entry_bytes_are_numbers_then_lengths_then_texts() -> None:
    expected = (
        (3).to_bytes(8, "big")
        + (7).to_bytes(8, "big")
        + (1_790_000_000_000).to_bytes(8, "big")
        + bytes.fromhex("00000008 00000008 00000042 00000007")
        + b"outcomes"
        + b"treasury"
        + b"0x"
        + b"ab" * 32
        + b'{"a":1}'
    )
    assert entry_bytes(ENTRY) == expected


def test_leaf_and_hash_follow_the_format() -> None:
    own_leaf = hashlib.sha256(b"\x00" + entry_bytes(ENTRY)).digest()
    number = (5).to_bytes(8, "big")
    link = hashlib.sha256(b"sixgate/ledger/v1\x00" + number + b"p" * 32 + own_leaf)
    assert leaf(ENTRY) == own_leaf
    assert hash_n(5, b"p" * 32, own_leaf) == link.digest()


def test_the_format_does_not_change_by_accident() -> None:
    assert hashes(EMPTY, [ENTRY])[0].hex() == (
        "c8c854446daa3cd5d524828cddb75546e0f0ddd55cfa483da1300b7e49b33efd"
    )


def test_an_empty_chain_ends_at_32_zero_bytes() -> None:
    assert Tip(0, bytes(32)) == EMPTY
    assert bytes(32) == GENESIS


@pytest.mark.parametrize(
    "moved",
    [
        ENTRY._replace(topic="outcome", key="streasury"),
        ENTRY._replace(key="treasur", event_id="y0x" + "ab" * 32),
        ENTRY._replace(event_id="0x" + "ab" * 31 + "a", body=b'b{"a":1}'),
        ENTRY._replace(partition=7, offset=3),
    ],
)
def test_a_byte_moved_to_the_next_field_gives_another_leaf(moved: Entry) -> None:
    assert leaf(moved) != leaf(ENTRY)


def test_one_entry_in_two_places_has_two_hashes() -> None:
    first, second = hashes(EMPTY, [ENTRY, ENTRY])
    assert first != second


@pytest.mark.parametrize("number", [-1, 2**64])
def test_a_number_outside_64_bits_is_an_error(number: int) -> None:
    for wrong in (
        ENTRY._replace(partition=number),
        ENTRY._replace(offset=number),
        ENTRY._replace(at_ms=number),
    ):
        with pytest.raises(struct.error):
            entry_bytes(wrong)


def test_hashes_continue_from_any_tip() -> None:
    whole = hashes(EMPTY, [ENTRY] * 5)
    assert hashes(Tip(2, whole[1]), [ENTRY] * 3) == whole[2:]
