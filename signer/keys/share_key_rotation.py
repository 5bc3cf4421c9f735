"""Rotation of a slot's share keys: made, stored in the slot's state, announced, erased in time.

1. ``rotate`` makes the next key current; the caller commits it together with its announcements.
   *If the process ends before that commit, no client has seen the key, and the next start makes
   another.*
2. A key is current for ``ROTATE_AFTER_MS`` and opens boxes for ``OVERLAP_MS`` more.
3. ``erase`` drops it an hour later, so an outcome that was pinned with a share is signed before the
   key of that share is erased. Outcomes that an earlier boot pinned are finished first, however
   long ago that boot ended. *If the process ends before the commit, the next start erases it.*
"""

from collections.abc import Callable
from typing import Protocol

from schemas.intents.intent_parts import ClientShare
from signer.custody.buffers import RandomBytes
from signer.custody.errors import ClientShareMissingError
from signer.custody.kms.port import RootKms
from signer.custody.share_key import SealedShareKey, ShareKeyBoxes, ShareKeys, new_share_key

ROTATE_AFTER_MS = 7 * 24 * 60 * 60 * 1000
ERASE_AFTER_MS = 60 * 60 * 1000


class ShareKeyStore(Protocol):
    """Where share keys are durable: the state of a slot."""

    def share_keys(self) -> ShareKeys | None:
        """Return the keys as last committed; raise if they are not the last ones."""
        ...

    def set_share_keys(self, keys: ShareKeys) -> None:
        """Add changed keys to the caller's next commit."""
        ...


class ShareKeyRotation:
    """The share keys of a slot; implements ``ShareBoxes`` with them.

    While ``finishing`` (outcomes pinned by an earlier boot), retired keys open boxes regardless of
    their age.
    """

    def __init__(
        self,
        store: ShareKeyStore,
        root: RootKms,
        random_bytes: RandomBytes,
        now_ms: Callable[[], int],
    ) -> None:
        """Read the keys from the slot's state; raises the errors of ``store.share_keys``."""
        self._store = store
        self._root = root
        self._random_bytes = random_bytes
        self._now_ms = now_ms
        self._keys = store.share_keys()
        self.finishing = True

    @property
    def current(self) -> SealedShareKey | None:
        """The key to which clients seal now; None before the first rotation."""
        return self._keys.current if self._keys else None

    @property
    def version(self) -> int | None:
        """The current key's version."""
        return self.current.version if self.current else None

    def open(self, share: ClientShare, context: bytes) -> bytearray:
        """Return a client share in a buffer the caller wipes; raise ``CustodyError``."""
        keys = self.boxes()
        if keys is None:
            raise ClientShareMissingError("This signer has no share key: it opens no client share.")
        return keys.open(share, context)

    def boxes(self) -> ShareKeyBoxes | None:
        """Return the share keys that open boxes now (step 2); None if there is no share key."""
        if self._keys is None:
            return None
        at_ms = 0 if self.finishing else self._now_ms()
        return ShareKeyBoxes(self._root, self._keys, lambda: at_ms)

    def due(self, now_ms: int) -> bool:
        """Return whether the current key is missing or old enough to be rotated."""
        return self.current is None or now_ms - self.current.made_at_ms >= ROTATE_AFTER_MS

    def rotate(self, org: str, signer: str, now_ms: int) -> None:
        """Make the next key current (step 1); raises ``CustodyError``, then nothing changed."""
        # 1. Changes the slot's memory only; durable with the caller's commit.
        keys = self._keys or ShareKeys(org=org, signer=signer)
        at_ms = max(now_ms, keys.current.made_at_ms if keys.current else 0)
        made = new_share_key(self._root, keys, at_ms, self._random_bytes)
        self._change(keys.rotated(made))

    def erase(self, now_ms: int) -> None:
        """Erase keys that are retired long enough (step 3), unless ``finishing``."""
        if self._keys is None or self.finishing:
            return
        remaining = self._keys.pruned(now_ms - ERASE_AFTER_MS)
        if remaining != self._keys:
            # 3. The old key is gone once this state is committed and the former record compacted.
            self._change(remaining)

    def _change(self, keys: ShareKeys) -> None:
        self._keys = keys
        self._store.set_share_keys(keys)
