"""Rotation of a slot's share keys: made, stored in the slot's state, announced, erased in time.

A key is current for ``ROTATE_AFTER_MS``, opens boxes for ``OVERLAP_MS`` more, and is erased an hour
later. So an outcome that was pinned with a share is signed before the key of that share is erased.
Outcomes that an earlier boot pinned are finished first, however long ago that boot ended.
"""

from collections.abc import Callable

from schemas.client_share import ClientShare
from signer.custody.buffers import RandomBytes
from signer.custody.errors import ClientShareMissingError
from signer.custody.kms.port import RootKms
from signer.custody.share_key import SealedShareKey, ShareKeyBoxes, ShareKeys, new_share_key
from signer.memory import Memory
from signer.state import RESTORE, StateRollbackError

ROTATE_AFTER_MS = 7 * 24 * 60 * 60 * 1000
ERASE_AFTER_MS = 60 * 60 * 1000


class ShareKeyRotation:
    """The share keys of a slot; it opens the boxes that clients seal for them (``ShareBoxes``).

    While ``finishing``, what was pinned by an earlier life is opened, whenever its key gave way.
    """

    def __init__(
        self, memory: Memory, root: RootKms, random_bytes: RandomBytes, now_ms: Callable[[], int]
    ) -> None:
        """Read the keys.

        Raise ``StateRollbackError`` unless they are those that the slot had last.
        """
        self._memory = memory
        self._root = root
        self._random_bytes = random_bytes
        self._now_ms = now_ms
        self._keys = memory.slot_record("shares", ShareKeys)
        self.finishing = True
        if self.version != memory.slot.share_version:
            raise StateRollbackError(f"the signer's share keys are others than its last: {RESTORE}")

    @property
    def current(self) -> SealedShareKey | None:
        """The key that clients are to seal for, once there is one."""
        return self._keys.current if self._keys else None

    @property
    def version(self) -> int | None:
        """The current key's number."""
        return self.current.version if self.current else None

    def open(self, share: ClientShare, context: bytes) -> bytearray:
        """Return a client's share, in a buffer the caller wipes; raise ``CustodyError``."""
        keys = self.opening()
        if keys is None:
            raise ClientShareMissingError("This signer has no share key: no client's share opens.")
        return keys.open(share, context)

    def opening(self) -> ShareKeyBoxes | None:
        """Return what opens boxes at this moment, if there is any share key."""
        if self._keys is None:
            return None
        at_ms = 0 if self.finishing else self._now_ms()
        return ShareKeyBoxes(self._root, self._keys, lambda: at_ms)

    def due(self, now_ms: int) -> bool:
        """Tell whether it is time for the next key, or for the first one."""
        return self.current is None or now_ms - self.current.made_at_ms >= ROTATE_AFTER_MS

    def rotate(self, org: str, signer: str, now_ms: int) -> None:
        """Make the next key; raise ``CustodyError``, and nothing changed."""
        keys = self._keys or ShareKeys(org=org, signer=signer)
        at_ms = max(now_ms, keys.current.made_at_ms if keys.current else 0)
        made = new_share_key(self._root, keys, at_ms, self._random_bytes)
        self._keep(keys.rotated(made))

    def erase(self, now_ms: int) -> None:
        """Drop keys whose time is over; not before what was pinned with them is finished."""
        if self._keys is None or self.finishing:
            return
        kept = self._keys.pruned(now_ms - ERASE_AFTER_MS)
        if kept != self._keys:
            self._keep(kept)

    def _keep(self, keys: ShareKeys) -> None:
        self._keys = keys
        self._memory.set_slot_record("shares", keys)
