"""Decodes revert data. The contract chose the bytes: they are bounded, escaped and untrusted."""

from collections.abc import Mapping

from streams.simulators.simulation import FailureReason

_WORD = 32
_SELECTOR = 4
_ERROR_STRING = bytes.fromhex("08c379a0")  # Error(string)
_PANIC = bytes.fromhex("4e487b71")  # Panic(uint256)

# https://docs.soliditylang.org/en/latest/control-structures.html#panic-via-assert-and-error-via-require
_PANICS = {
    0x00: "generic",
    0x01: "assertion_failed",
    0x11: "arithmetic_overflow",
    0x12: "division_by_zero",
    0x21: "invalid_enum_value",
    0x22: "corrupt_storage_byte_array",
    0x31: "pop_from_empty_array",
    0x32: "array_index_out_of_bounds",
    0x41: "out_of_memory",
    0x51: "call_of_uninitialised_function",
}


def decode_revert(output: bytes, known_errors: Mapping[str, str]) -> tuple[FailureReason, str]:
    """Return the reason in revert data, and a detail in printable ASCII.

    The detail is the text of Error(string), the name of Panic(uint256), or another error's selector
    and, if `known_errors` (selector → signature) has it, its signature. Data that starts like an
    Error(string) or a Panic but is not encoded as one is a custom error.
    """
    if not output:
        return FailureReason.NO_REASON, ""
    selector, body = output[:_SELECTOR], output[_SELECTOR:]
    if selector == _ERROR_STRING and (text := _abi_string(body)) is not None:
        return FailureReason.ERROR_STRING, printable(text)
    if selector == _PANIC and len(body) == _WORD:
        code = int.from_bytes(body)
        return FailureReason.PANIC, _PANICS.get(code, hex(code))
    name = "0x" + selector.hex()
    return FailureReason.CUSTOM_ERROR, " ".join(filter(None, (name, known_errors.get(name))))


def _abi_string(body: bytes) -> bytes | None:
    """Decode the only argument, a `string`; None if it is not ABI-encoded."""
    if len(body) < 2 * _WORD or int.from_bytes(body[:_WORD]) != _WORD:
        return None
    length = int.from_bytes(body[_WORD : 2 * _WORD])
    text = body[2 * _WORD :]
    return text[:length] if length <= len(text) else None


CHARACTERS_MAX = 200


def printable(raw: bytes) -> str:
    """Return bytes as printable ASCII, other characters escaped, at most CHARACTERS_MAX.

    This removes terminal escapes and letters that look like others.
    """
    text = raw[:CHARACTERS_MAX].decode("utf-8", errors="backslashreplace")
    shown = "".join(
        character if character.isascii() and character.isprintable() else _escape(character)
        for character in text
    )
    return shown[:CHARACTERS_MAX]


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
