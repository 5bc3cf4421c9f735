"""A private key as text: 64 hex digits, and no sentence ever repeats them."""

import pytest

from sixgate.authoring.key_text import KeyFormatError, read_key_text

DIGITS = b"00112233445566778899aabbccddeeff" * 2


@pytest.mark.parametrize(
    "text",
    [
        DIGITS,
        b"0x" + DIGITS,
        DIGITS.upper(),
        b"0X" + DIGITS,
        b" \n" + DIGITS + b"\r\n",
        DIGITS + b"\0",
    ],
)
def test_the_usual_spellings_are_read_and_wiped(text: bytes) -> None:
    buffer = bytearray(text)
    assert read_key_text(buffer) == bytes.fromhex(DIGITS.decode())
    assert buffer == bytes(len(text))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"0x",
        DIGITS[:-1],
        DIGITS + b"0",
        DIGITS[:-1] + b"g",
        DIGITS[:32] + b" " + DIGITS[32:],
        b"0x0x" + DIGITS,
        "\u0660".encode() * 64,
        b"-----BEGIN PRIVATE KEY-----",
    ],
)
def test_anything_else_is_refused_without_repeating_it(text: bytes) -> None:
    buffer = bytearray(text)
    with pytest.raises(KeyFormatError) as caught:
        read_key_text(buffer)
    assert "64 hexadecimal digits" in str(caught.value)
    assert not text or text.decode() not in str(caught.value)
    assert caught.value.__context__ is None or DIGITS[:8].decode() not in repr(
        caught.value.__context__
    )
    assert buffer == bytes(len(text))
