import string

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from streams.simulators.reverts import CHARACTERS_MAX, decode_revert, printable
from streams.simulators.simulation import FailureReason

ERROR = bytes.fromhex("08c379a0")
PANIC = bytes.fromhex("4e487b71")
KNOWN = {"0x12345678": "Closed(uint256)"}


@given(st.text(string.ascii_letters + " :.'", max_size=CHARACTERS_MAX))
def test_a_reason_string_is_read_as_an_abi_library_wrote_it(text: str) -> None:
    assert decode_revert(ERROR + encode(["string"], [text]), {}) == (
        FailureReason.ERROR_STRING,
        text,
    )


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (0x01, "assertion_failed"),
        (0x11, "arithmetic_overflow"),
        (0x12, "division_by_zero"),
        (0x32, "array_index_out_of_bounds"),
        (0x99, "0x99"),
    ],
)
def test_a_panic_is_named(code: int, name: str) -> None:
    assert decode_revert(PANIC + encode(["uint256"], [code]), {}) == (FailureReason.PANIC, name)


def test_a_custom_error_is_its_selector_and_its_signature_if_known() -> None:
    body = encode(["uint256"], [5])

    assert decode_revert(bytes.fromhex("12345678") + body, KNOWN) == (
        FailureReason.CUSTOM_ERROR,
        "0x12345678 Closed(uint256)",
    )
    assert decode_revert(bytes.fromhex("87654321") + body, KNOWN) == (
        FailureReason.CUSTOM_ERROR,
        "0x87654321",
    )


def test_empty_revert_data_has_no_reason() -> None:
    assert decode_revert(b"", KNOWN) == (FailureReason.NO_REASON, "")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x20",
        (32).to_bytes(32),
        (31).to_bytes(32) + (1).to_bytes(32) + b"x" * 32,
        (32).to_bytes(32) + (2**256 - 1).to_bytes(32) + b"x" * 32,
        (32).to_bytes(32) + (33).to_bytes(32) + b"x" * 32,
        (2**256 - 1).to_bytes(32) + (1).to_bytes(32) + b"x" * 32,
    ],
)
def test_a_malformed_reason_string_is_a_custom_error(body: bytes) -> None:
    assert decode_revert(ERROR + body, {}) == (FailureReason.CUSTOM_ERROR, "0x08c379a0")


@pytest.mark.parametrize("body", [b"", b"\x11", (0x11).to_bytes(32) + b"\x00"])
def test_a_malformed_panic_is_a_custom_error(body: bytes) -> None:
    assert decode_revert(PANIC + body, {}) == (FailureReason.CUSTOM_ERROR, "0x4e487b71")


def test_terminal_escapes_and_look_alike_letters_are_escaped() -> None:
    assert printable(b"\x1b[2Jpaid\r\nraw \xff") == r"\x1b[2Jpaid\r\nraw \xff"
    assert printable("\u0440\u0430id \u202e".encode()) == r"\u0440\u0430id \u202e"


@given(st.binary(max_size=2_000), st.sampled_from([b"", ERROR, PANIC]))
def test_any_bytes_give_bounded_printable_ascii(tail: bytes, head: bytes) -> None:
    _, detail = decode_revert(head + tail, KNOWN)

    assert len(detail) <= CHARACTERS_MAX
    assert detail.isascii()
    assert detail == "" or detail.isprintable()


@given(st.text(max_size=500))
def test_a_hostile_reason_string_is_bounded_and_printable_too(text: str) -> None:
    reason, detail = decode_revert(ERROR + encode(["string"], [text]), {})

    assert reason is FailureReason.ERROR_STRING
    assert len(detail) <= CHARACTERS_MAX
    assert detail.isascii()
    assert detail == "" or detail.isprintable()
