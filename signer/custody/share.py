"""One share of a data key, and its encoding."""

from dataclasses import dataclass, field

from signer.custody.buffers import wipe
from signer.custody.errors import SharesMismatchError

_FORMAT = 1
_HEADER_BYTES = 2


@dataclass(frozen=True, slots=True)
class Share:
    """A share's number, from 1, and its value, which its owner wipes."""

    number: int
    value: bytearray = field(repr=False)

    def encode(self) -> bytearray:
        """Return ``format || number || value``, so that the number is wrapped with the value."""
        return bytearray((_FORMAT, self.number)) + self.value

    def wipe(self) -> None:
        """Overwrite the value with zeros."""
        wipe(self.value)


def decode_share(encoded: bytes | bytearray, number: int, value_bytes: int) -> Share:
    """Return the share of this number and length; raise ``SharesMismatchError`` for any other."""
    header = bytes((_FORMAT, number))
    if len(encoded) != _HEADER_BYTES + value_bytes or encoded[:_HEADER_BYTES] != header:
        raise SharesMismatchError(
            f"The shares do not belong together: this is not share {number} of a data key."
        )
    return Share(number, bytearray(memoryview(encoded)[_HEADER_BYTES:]))
