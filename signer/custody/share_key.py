"""The signer's share keys, to which clients seal shares and imports; rotated with an overlap.

A share key is a custody secret: sealed under the signer's root with its own context, so that it
survives a restart. Its sealed form must be stored where it can be erased, never in a permanent
record: boxes are permanent, and a share key opens all shares in its boxes.
"""

from collections.abc import Callable
from typing import Literal

from pydantic import Field

from schemas.canonical import Canonical
from schemas.fields import Name, Ordinal, TimeMs, X25519PublicKey
from schemas.intents.intent import EXPIRY_MS_MAX
from schemas.intents.intent_parts import ClientShare
from schemas.keys.wrapped import Blob
from signer.custody.buffers import RandomBytes, draw, wiping
from signer.custody.context import SecretContext
from signer.custody.envelope import SealedSecret, new_vault_key, open_secret, seal_secret
from signer.custody.errors import ClientShareMissingError, CorruptError
from signer.custody.hpke import KEY_BYTES, HpkeKey
from signer.custody.kms.port import RootKms

OVERLAP_MS = EXPIRY_MS_MAX + 60 * 60 * 1000
"""The longest life of an intent, and one hour in which the signer may be down after it."""
KEYS_MAX = 16
_VAULT, _PATH = "__share-keys", "share-key"
_NOT_OPENED = (
    "The client share does not open: it was sealed for another agent, key or version, or was "
    "modified; seal it again."
)


class SealedShareKey(Canonical):
    """One sealed share key; ``retired_at_ms`` is when the next one replaced it."""

    version: Ordinal
    public_key: X25519PublicKey
    made_at_ms: TimeMs
    retired_at_ms: TimeMs | None = None
    wrapped_kek: Blob
    wrapped_dek: Blob
    ciphertext: Blob


class ShareKeys(Canonical):
    """The share keys of one signer, as stored in its state; the last one is current."""

    v: Literal[1] = 1
    type: Literal["share.keys"] = "share.keys"
    org: Name
    signer: Name
    keys: tuple[SealedShareKey, ...] = Field(default=(), max_length=KEYS_MAX)

    @property
    def current(self) -> SealedShareKey | None:
        """The key to which clients seal now."""
        return self.keys[-1] if self.keys else None

    def find(self, public_key: str, now_ms: int) -> SealedShareKey | None:
        """Return the share key with this public key, if it still opens boxes."""
        return next(
            (key for key in self.keys if key.public_key == public_key and _opens_at(key, now_ms)),
            None,
        )

    def rotated(self, made: SealedShareKey) -> "ShareKeys":
        """Return the keys with a new current one; raise ``ValueError`` unless it is the next."""
        newest = self.current
        if made.version != (newest.version + 1 if newest else 1) or made.retired_at_ms is not None:
            raise ValueError("A new share key must have the next version.")
        if newest is None:
            return self.model_copy(update={"keys": (made,)})
        if made.made_at_ms < newest.made_at_ms:
            raise ValueError("A new share key cannot be older than the current one.")
        retired = newest.model_copy(update={"retired_at_ms": made.made_at_ms})
        return self.model_copy(update={"keys": (*self.keys[:-1], retired, made)})

    def pruned(self, now_ms: int) -> "ShareKeys":
        """Return the keys without those past their overlap, so that the caller erases them.

        The caller must first finish pinned outcomes, which may need a key for longer.
        """
        remaining = tuple(key for key in self.keys if _opens_at(key, now_ms))
        return self.model_copy(update={"keys": remaining})


class ShareKeyBoxes:
    """Opens clients' boxes with the current share keys; unseals the key for each box."""

    def __init__(self, root: RootKms, keys: ShareKeys, clock_ms: Callable[[], int]) -> None:
        self.keys = keys
        self._root = root
        self._clock_ms = clock_ms

    def open(self, share: ClientShare, context: bytes) -> bytearray:
        """Return a client share in a buffer the caller wipes.

        Raises ``ClientShareMissingError`` for an unknown or retired share key; ``CorruptError`` for
        a box of another agent, path or version; what ``RootKms`` raises.
        """
        private = self._private(share.share_key)
        try:
            return private.open(bytes.fromhex(share.box[2:]), context)
        except CorruptError:
            raise CorruptError(_NOT_OPENED) from None

    @property
    def public_keys(self) -> list[str]:
        """The public keys of all boxes that open now, the current one first."""
        now_ms = self._clock_ms()
        return [key.public_key for key in reversed(self.keys.keys) if _opens_at(key, now_ms)]

    def open_box(self, public_key: str, box: bytes, context: bytes) -> bytearray:
        """Return the content of a box that was sealed to a share key; raise as ``open`` does."""
        return self._private(public_key).open(box, context)

    def _private(self, public_key: str) -> HpkeKey:
        key = self.keys.find(public_key, self._clock_ms())
        if key is None:
            raise ClientShareMissingError(
                "The client share is sealed to a key that this signer no longer has: ask for its "
                "current share key and seal again."
            )
        return _open(self._root, self.keys, key)


def new_share_key(
    root: RootKms, keys: ShareKeys, now_ms: int, random_bytes: RandomBytes
) -> SealedShareKey:
    """Create and seal the next share key, and open it once; raise what ``seal_secret`` raises."""
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
        raise CorruptError("A share key does not match its public key; rotate the share keys.")
    return private


def _context(keys: ShareKeys, version: int) -> SecretContext:
    # The signer's name takes the account's place; no vault of an account begins with __share.
    return SecretContext(
        org=keys.org,
        account=keys.signer,
        vault=_VAULT,
        path=_PATH,
        version=version,
        mode="envelope",
    )


def _opens_at(key: SealedShareKey, now_ms: int) -> bool:
    return key.retired_at_ms is None or now_ms - key.retired_at_ms <= OVERLAP_MS
