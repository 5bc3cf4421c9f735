"""Ethereum addresses: parsing, EIP-55 checksums, derivation from public keys."""

import re

from signer.core.errors import AddressError
from signer.core.ethereum.keccak import keccak256

ADDRESS_BYTES = 20
_TEXT_LENGTH = 2 + 2 * ADDRESS_BYTES
# Explicit ASCII ranges: \d, str.isdigit and bytes.fromhex accept more characters.
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
# The checksum of all digits at once. A letter becomes upper case (one bit away in ASCII) if the
# hash's digit is 8 or more. Each table maps a digit to that bit or to 0.
_CASE_BIT = 0x20
_HIGH_DIGITS = bytes(_CASE_BIT if chr(byte) in "89abcdef" else 0 for byte in range(256))
_LETTERS = bytes(_CASE_BIT if chr(byte) in "abcdef" else 0 for byte in range(256))
_FOREIGN = re.compile(r"[^0-9a-fA-F]")


def parse_address(text: str) -> bytes:
    """Parse ``0x`` and 40 hexadecimal digits into the 20 bytes of an address.

    All lower or all upper case has no checksum; mixed case must match the EIP-55 checksum.
    Raises AddressError, whose location is the first wrong character or ``length``.
    Source: EIP-55.
    """
    if not isinstance(text, str):
        raise AddressError("address", "must be text.")
    if _ADDRESS.fullmatch(text) is None:
        raise _shape_error(text)
    digits = text[2:]
    address = bytes.fromhex(digits)
    if digits not in (digits.lower(), digits.upper()):
        expected = checksum_address(address)
        if text != expected:
            raise _checksum_error(text, expected)
    return address


def checksum_address(address: bytes) -> str:
    """Write the 20 bytes of an address in EIP-55 mixed case, with ``0x``.

    Raises AddressError unless there are exactly 20 bytes. Source: EIP-55.
    """
    if not isinstance(address, bytes):
        raise AddressError("address", "must be bytes.")
    if len(address) != ADDRESS_BYTES:
        raise AddressError("length", f"is {len(address)} bytes; an address has {ADDRESS_BYTES}.")
    digits = address.hex().encode("ascii")
    high = keccak256(digits).hex().encode("ascii")[: len(digits)].translate(_HIGH_DIGITS)
    upper = int.from_bytes(high) & int.from_bytes(digits.translate(_LETTERS))
    return "0x" + (int.from_bytes(digits) ^ upper).to_bytes(len(digits)).decode("ascii")


def address_of_point(point: bytes) -> bytes:
    """Return the address of a 65-byte public key that is known to be on the curve."""
    return keccak256(point[1:])[-ADDRESS_BYTES:]


def _shape_error(text: str) -> AddressError:
    if not text.startswith("0x"):
        return AddressError("character 1", "must begin the prefix 0x, in lower case.")
    foreign = _FOREIGN.search(text, 2)
    if foreign is not None:
        # The code point instead of the glyph: a homoglyph would look correct in the message.
        return AddressError(
            f"character {foreign.start() + 1}",
            f"is U+{ord(foreign.group()):04X}, not a hexadecimal digit in ASCII.",
        )
    return AddressError(
        "length", f"is {len(text)} characters; an address has {_TEXT_LENGTH} with its 0x."
    )


def _checksum_error(text: str, expected: str) -> AddressError:
    pairs = enumerate(zip(text, expected, strict=True), start=1)
    position = next(position for position, (given, right) in pairs if given != right)
    return AddressError(
        f"character {position}", "breaks the EIP-55 checksum: the address was mistyped or altered."
    )
