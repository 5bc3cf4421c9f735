"""The encodings below the addresses, against their published vectors."""

import pytest
from Cryptodome.Hash import RIPEMD160

from signer.keys.addresses import base58, bech32
from signer.keys.addresses.ripemd160 import ripemd160


@pytest.mark.parametrize(
    ("message", "digest"),
    [
        (b"", "9c1185a5c5e9fc54612808977ee8f548b2258d31"),
        (b"a", "0bdc9d2d256b3ee9daae347be6f4dc835a467ffe"),
        (b"abc", "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"),
        (b"message digest", "5d0689ef49d2fae572b881b123a85ffa21595f36"),
        (b"abcdefghijklmnopqrstuvwxyz", "f71c27109c692c1b56bbdceb5b9d2865b3708dbc"),
        (b"1234567890" * 8, "9b752e45573d4b39f4dbd3323cab82bf63326bfb"),
    ],
)
def test_ripemd160_gives_its_authors_digests(message: bytes, digest: str) -> None:
    assert ripemd160(message).hex() == digest


def test_ripemd160_agrees_with_another_implementation_across_every_padding_border() -> None:
    for size_bytes in range(130):
        message = bytes(range(size_bytes))
        assert ripemd160(message) == RIPEMD160.new(message).digest()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", ""),
        (b"Hello World!", "2NEpo7TZRRrLZSi2U"),
        (bytes.fromhex("0000287fb4cd"), "11233QC4"),
        (b"\x00\x00", "11"),
    ],
)
def test_base58_gives_the_draft_s_vectors(content: bytes, text: str) -> None:
    assert base58.encode(content) == text


def test_base58_keeps_leading_zeros_in_either_alphabet() -> None:
    assert base58.encode(b"\x00\x00\x01", base58.XRP) == "rrp"


@pytest.mark.parametrize("size_bytes", range(33))
def test_bytes_become_5_bit_words_with_zero_bits_behind(size_bytes: int) -> None:
    content = bytes(range(200, 200 + size_bytes))
    words = list(bech32.words_of(content))
    bits = "".join(f"{word:05b}" for word in words)
    assert bits[: 8 * size_bytes] == "".join(f"{byte:08b}" for byte in content)
    assert set(bits[8 * size_bytes :]) <= {"0"}
    assert len(bits) - 8 * size_bytes < 5
