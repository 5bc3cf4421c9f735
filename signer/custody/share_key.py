"""The signer's share keys: what one seals shares and imports for, in turns and with overlap.

A share key is a secret of custody: sealed under the signer's root, in a place of its own, so that
it outlives a restart. Its sealed form belongs where it can be erased, never into a record that is
kept for ever: boxes are kept for ever, and whoever has a share key has the shares in its boxes.
"""

from collections.abc import Callable
from typing import Literal

from pydantic import Field

from schemas.canonical import Canonical
from schemas.client_share import ClientShare
from schemas.custody import Blob
from schemas.fields import Name, Ordinal, TimeMs, X25519PublicKey
from schemas.intent import EXPIRY_MS_MAX
from signer.custody.buffers import RandomBytes, draw, wiping
from signer.custody.context import SecretContext
from signer.custody.envelope import SealedSecret, new_vault_key, open_secret, seal_secret
from signer.custody.errors import ClientShareMissingError, CorruptError
from signer.custody.hpke import KEY_BYTES, HpkeKey
from signer.custody.kms.port import RootKms

OVERLAP_MS = EXPIRY_MS_MAX + 60 * 60 * 1000
"""An intent may wait for its whole life, and the signer be an hour away after it."""
KEYS_MAX = 16
_VAULT, _PATH = "__share-keys", "share-key"
_NOT_OPEN = (
    "The client's share does not open: it was sealed for another agent, key or version, or was "
    "changed; seal it again."
)


class SealedShareKey(Canonical):
    """One share key; ``retired_at_ms`` is when the next one took its place."""

    version: Ordinal
    public_key: X25519PublicKey
    made_at_ms: TimeMs
    retired_at_ms: TimeMs | None = None
    wrapped_kek: Blob
    wrapped_dek: Blob
    ciphertext: Blob


class ShareKeys(Canonical):
    """The share keys of one signer, as its state keeps them: the last one is the current one."""

    v: Literal[1] = 1
    type: Literal["share.keys"] = "share.keys"
    org: Name
    signer: Name
    keys: tuple[SealedShareKey, ...] = Field(default=(), max_length=KEYS_MAX)

    @property
    def current(self) -> SealedShareKey | None:
        """The key that clients are to seal for."""
        return self.keys[-1] if self.keys else None

    def find(self, public_key: str, now_ms: int) -> SealedShareKey | None:
        """Return the key of that public key if it still opens boxes."""
        return next(
            (key for key in self.keys if key.public_key == public_key and _open_at(key, now_ms)),
            None,
        )

    def rotated(self, made: SealedShareKey) -> "ShareKeys":
        """Return the keys with a new current one; raise ``ValueError`` if it is not the next."""
        newest = self.current
        if made.version != (newest.version + 1 if newest else 1) or made.retired_at_ms is not None:
            raise ValueError("A share key follows the current one.")
        if newest is None:
            return self.model_copy(update={"keys": (made,)})
        if made.made_at_ms < newest.made_at_ms:
            raise ValueError("A share key is not older than the one whose place it takes.")
        retired = newest.model_copy(update={"retired_at_ms": made.made_at_ms})
        return self.model_copy(update={"keys": (*self.keys[:-1], retired, made)})

    def pruned(self, now_ms: int) -> "ShareKeys":
        """Return the keys without those whose overlap is over: they are to be erased.

        Whoever prunes has first finished what is pinned, which may wait for longer.
        """
        kept = tuple(key for key in self.keys if _open_at(key, now_ms))
        return self.model_copy(update={"keys": kept})


class ShareKeyBoxes:
    """Opens clients' boxes with the share keys of the moment; nothing stays open in between."""

    def __init__(self, root: RootKms, keys: ShareKeys, clock_ms: Callable[[], int]) -> None:
        self.keys = keys
        self._root = root
        self._clock_ms = clock_ms

    def open(self, share: ClientShare, context: bytes) -> bytearray:
        """Return a client's share, in a buffer the caller wipes.

        Raise ``ClientShareMissingError`` for a share key that is none, or no more; ``CorruptError``
        for a box of another agent, path or version; what ``RootKms`` raises.
        """
        private = self._private(share.share_key)
        try:
            return private.open(bytes.fromhex(share.box[2:]), context)
        except CorruptError:
            raise CorruptError(_NOT_OPEN) from None

    @property
    def public_keys(self) -> list[str]:
        """The keys that open boxes now, the current one first."""
        now_ms = self._clock_ms()
        return [key.public_key for key in reversed(self.keys.keys) if _open_at(key, now_ms)]

    def open_box(self, public_key: str, box: bytes, context: bytes) -> bytearray:
        """Return what was sealed for one of the keys, whatever it is; raise as ``open`` does."""
        return self._private(public_key).open(box, context)

    def _private(self, public_key: str) -> HpkeKey:
        key = self.keys.find(public_key, self._clock_ms())
        if key is None:
            raise ClientShareMissingError(
                "The client's share is sealed for a key that this signer does not have any more: "
                "ask for its share key and seal again."
            )
        return _open(self._root, self.keys, key)


def new_share_key(
    root: RootKms, keys: ShareKeys, now_ms: int, random_bytes: RandomBytes
) -> SealedShareKey:
    """Make the next share key, proven to open; raise what ``seal_secret`` raises."""
    version = keys.current.version + 1 if keys.current else 1
    context = _context(keys, version)
    wrapped_kek = new_vault_key(root, context.vault_context, random_bytes)
    with wiping(draw(random_bytes, KEY_BYTES)) as secret:
        public_key = HpkeKey(secret).public_key
        sealed = seal_secret(root, wrapped_kek, context, secret, random_bytes)
    made = SealedShareKey(
        version=version,
        public_key=f"0x{public_key.hex()}",
        made_at_ms=now_ms,
        wrapped_kek=f"0x{sealed.wrapped_kek.hex()}",
        wrapped_dek=f"0x{sealed.wrapped_dek.hex()}",
        ciphertext=f"0x{sealed.ciphertext.hex()}",
    )
    _open(root, keys, made)
    return made


def _open(root: RootKms, keys: ShareKeys, key: SealedShareKey) -> HpkeKey:
    kek, dek, ciphertext = (
        bytes.fromhex(text[2:]) for text in (key.wrapped_kek, key.wrapped_dek, key.ciphertext)
    )
    sealed = SealedSecret(kek, dek, ciphertext)
    with wiping(open_secret(root, _context(keys, key.version), sealed)) as secret:
        private = HpkeKey(secret)
    if f"0x{private.public_key.hex()}" != key.public_key:
        raise CorruptError("A share key is not that of its public key; make the next one.")
    return private


def _context(keys: ShareKeys, version: int) -> SecretContext:
    # A signer is no account, so its name stands for one; no account's vault begins with __share.
    return SecretContext(
        org=keys.org,
        account=keys.signer,
        vault=_VAULT,
        path=_PATH,
        version=version,
        mode="envelope",
    )


def _open_at(key: SealedShareKey, now_ms: int) -> bool:
    return key.retired_at_ms is None or now_ms - key.retired_at_ms <= OVERLAP_MS
