"""What operators seal for a signer on its way in: opened by the share keys of the moment.

Who sealed it is not proven here: the order that names the box is signed. Boxes stay on a topic that
is kept for ever, so what opens them must not be: a share key is erased, and with it all its boxes.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from signer.custody.errors import CorruptError
from signer.share_key_rotation import ShareKeyRotation

ERASED = (
    "What is imported was sealed for another signer, or for a key that this one has erased: send "
    "it again."
)
SHUT = (
    "An imported key or secret does not open: it was sealed for another signer or another order, "
    "for a key that was erased, or was changed; send it again."
)


class ImportBoxes(Protocol):
    """Opens what operators seal for one signer."""

    def open(self, box: bytes, context: bytes, sealed_for: str | None = None) -> bytearray:
        """Return what was sealed under exactly this context, in a buffer the caller wipes.

        ``sealed_for`` is the public key that an order names, if it names one. Raise
        ``CorruptError`` for another key, another context, or a box that was changed, and what
        ``RootKms`` raises.
        """
        ...


@dataclass(frozen=True, slots=True)
class ShareKeyImportBoxes:
    """The ``ImportBoxes`` of a slot."""

    share_keys: ShareKeyRotation

    def open(self, box: bytes, context: bytes, sealed_for: str | None = None) -> bytearray:
        """Return what was sealed, trying the current key first where an order names none."""
        keys = self.share_keys.opening()
        if keys is None or sealed_for not in (None, *keys.public_keys):
            raise CorruptError(ERASED)
        for public_key in keys.public_keys:
            if sealed_for in (None, public_key):
                with suppress(CorruptError):
                    return keys.open_box(public_key, box, context)
        raise CorruptError(SHUT)
