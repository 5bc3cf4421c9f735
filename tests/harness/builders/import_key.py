"""``ImportBoxes`` under one key that tests know: what opens imports where none is turned."""

from signer.custody.errors import CorruptError
from signer.custody.hpke import HpkeKey
from signer.imports import ERASED, SHUT


class ImportKey:
    """A signer's one key for imports, for ever; 32 bytes."""

    def __init__(self, secret: bytes) -> None:
        self._key = HpkeKey(secret)
        self.public_key = f"0x{self._key.public_key.hex()}"

    def open(self, box: bytes, context: bytes, sealed_for: str | None = None) -> bytearray:
        if sealed_for not in (None, self.public_key):
            raise CorruptError(ERASED)
        try:
            return self._key.open(box, context)
        except CorruptError:
            raise CorruptError(SHUT) from None
