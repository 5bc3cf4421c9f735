"""Imported keys and secrets, HPKE-sealed by operators to the signer's current share keys.

The sender is not authenticated here: an admin signs the order that names the box. Boxes stay on a
permanent topic, so the keys that open them must not be permanent: once a share key is erased, its
boxes can never be opened again.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from signer.custody.errors import CorruptError
from signer.keys.share_key_rotation import ShareKeyRotation

ERASED = (
    "The import was sealed for another signer, or to a share key that has been erased: send it "
    "again."
)
NOT_OPENED = (
    "The import does not open: it was sealed for another signer or order, to a share key that has "
    "been erased, or was modified; send it again."
)


class ImportBoxes(Protocol):
    """Opens boxes that admins seal for one signer."""

    def open(self, box: bytes, context: bytes, sealed_for: str | None = None) -> bytearray:
        """Return the content of a box with exactly this context, in a buffer the caller wipes.

        ``sealed_for`` is the public key that the order names, if it names one. Raises
        ``CorruptError`` for another key or context, or a modified box, and what ``RootKms`` raises.
        """
        ...


@dataclass(frozen=True, slots=True)
class ShareKeyImportBoxes:
    """The ``ImportBoxes`` of a slot, with its share keys."""

    share_keys: ShareKeyRotation

    def open(self, box: bytes, context: bytes, sealed_for: str | None = None) -> bytearray:
        """Return the content; without ``sealed_for``, try all share keys, the current one first."""
        keys = self.share_keys.boxes()
        if keys is None or sealed_for not in (None, *keys.public_keys):
            raise CorruptError(ERASED)
        for public_key in keys.public_keys:
            if sealed_for in (None, public_key):
                with suppress(CorruptError):
                    return keys.open_box(public_key, box, context)
        raise CorruptError(NOT_OPENED)
