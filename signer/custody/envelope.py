"""Envelope encryption: a root key in a KMS wraps a vault's KEK, the KEK a DEK, the DEK one secret.

Every layer is authenticated with the context it belongs to (``signer.custody.context``), and
everything sealed is opened once before it is returned. The module takes randomness as an argument,
reads no clock, and calls only the KMS. The other custody modes build on the same layers
(``signer.custody.sealing``, ``signer.custody.opening``).
"""

import hmac
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from signer.custody import aead
from signer.custody.buffers import RandomBytes, draw, wiping
from signer.custody.context import Layer, SecretContext, VaultContext
from signer.custody.errors import CorruptError, SecretSizeError
from signer.custody.kms.port import WRAPPED_BYTES_MAX, RootKms

SECRET_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class WrappedShare:
    """A provider's share of a DEK, wrapped by the root key of the provider of that name."""

    provider: str
    blob: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """One version of a secret as it is stored; useless without the root and its context.

    ``wrapped_kek`` is the vault's KEK as the KMS wrapped it. ``wrapped_dek`` (of the DEK or the
    server's half) and ``ciphertext`` are blobs of ``signer.custody.aead``. If providers hold the
    DEK, ``wrapped_kek`` and ``wrapped_dek`` are empty, and the shares are numbered in order from 1.
    """

    wrapped_kek: bytes = field(repr=False)
    wrapped_dek: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)
    wrapped_shares: tuple[WrappedShare, ...] = field(default=(), repr=False)


def new_vault_key(kms: RootKms, context: VaultContext, random_bytes: RandomBytes) -> bytes:
    """Create a vault's KEK; return it wrapped by the root, after unwrapping it once.

    Raises what ``RootKms`` raises; ``CorruptError`` if the KMS unwraps to another key.
    """
    with wiping(draw(random_bytes, aead.KEY_BYTES)) as kek:
        wrapped_kek = kms.wrap(kek, context.aad())
        with wiping(_unwrap(kms, wrapped_kek, context)) as proof:
            require_same(proof, kek)
    return wrapped_kek


def seal_secret(
    kms: RootKms,
    wrapped_kek: bytes,
    context: SecretContext,
    secret: bytes | bytearray,
    random_bytes: RandomBytes,
) -> SealedSecret:
    """Seal one version of a secret (at most ``SECRET_BYTES_MAX`` bytes) under a new DEK.

    Raises what ``open_secret`` raises, and ``SecretSizeError``; the caller still owns ``secret``
    and wipes it. Only for mode ``envelope``: ``ValueError`` for any other.
    """
    _require_envelope(context)
    kek = open_vault_key(kms, wrapped_kek, context.vault_context)
    with wiping(draw(random_bytes, aead.KEY_BYTES)) as dek:
        ciphertext = seal_under_dek(dek, context, secret, random_bytes)
        wrapped_dek = seal_layer(kek, dek, context.aad(Layer.DEK), random_bytes)
    return SealedSecret(wrapped_kek, wrapped_dek, ciphertext)


def open_secret(kms: RootKms, context: SecretContext, sealed: SealedSecret) -> bytearray:
    """Return the secret in a buffer the caller wipes.

    Raises what ``RootKms`` raises; ``CorruptError`` if any layer was modified, truncated, or sealed
    under another context or key. Only for mode ``envelope``: ``ValueError`` for any other.
    """
    _require_envelope(context)
    kek = open_vault_key(kms, sealed.wrapped_kek, context.vault_context)
    dek = unseal_layer(kek, sealed.wrapped_dek, context, Layer.DEK)
    return open_under_dek(dek, context, sealed.ciphertext)


def open_vault_key(kms: RootKms, wrapped_kek: bytes, context: VaultContext) -> AESGCM:
    """Return a vault's KEK as a cipher; raise what ``RootKms`` raises, ``CorruptError``."""
    return load_key(_unwrap(kms, wrapped_kek, context))


def seal_under_dek(
    dek: bytearray, context: SecretContext, secret: bytes | bytearray, random_bytes: RandomBytes
) -> bytes:
    """Encrypt a secret under its DEK; raise ``SecretSizeError``, ``CorruptError``."""
    if len(secret) > SECRET_BYTES_MAX:
        raise SecretSizeError(
            f"A secret of {len(secret)} bytes is over the limit of {SECRET_BYTES_MAX}; split it."
        )
    return seal_layer(aead.load_key(dek), secret, context.aad(Layer.SECRET), random_bytes)


def open_under_dek(dek: bytearray, context: SecretContext, ciphertext: bytes) -> bytearray:
    """Return the secret, and wipe the DEK; raise ``CorruptError`` if it is the wrong DEK."""
    return unseal_layer(load_key(dek), ciphertext, context, Layer.SECRET)


def seal_layer(
    key: AESGCM, content: bytes | bytearray, aad: bytes, random_bytes: RandomBytes
) -> bytes:
    """Encrypt a layer, and open it once before returning it; raise ``CorruptError``."""
    blob = aead.seal(key, draw(random_bytes, aead.NONCE_BYTES), content, aad)
    with wiping(aead.unseal(key, blob, aad)) as proof:
        require_same(proof, content)
    return blob


def unseal_layer(key: AESGCM, blob: bytes, context: SecretContext, layer: Layer) -> bytearray:
    """Decrypt a layer; raise ``CorruptError`` with its layer, path, version and vault."""
    try:
        return aead.unseal(key, blob, context.aad(layer))
    except CorruptError as error:
        raise CorruptError(
            f"The {layer} of {context.path}, version {context.version}, in vault {context.vault} "
            "does not open: it was modified, truncated, moved, or is under another key; "
            "restore it from a backup."
        ) from error


def load_key(unwrapped: bytearray) -> AESGCM:
    """Return a key as a cipher, and wipe it; raise ``CorruptError`` unless it is 32 bytes."""
    with wiping(unwrapped):
        if len(unwrapped) != aead.KEY_BYTES:
            raise CorruptError(
                f"A blob unwrapped to {len(unwrapped)} bytes, and a key has {aead.KEY_BYTES}; "
                "restore the vault."
            )
        return aead.load_key(unwrapped)


def require_same(proof: bytes | bytearray, original: bytes | bytearray) -> None:
    """Raise ``CorruptError`` unless a value that was just sealed opened to the same bytes."""
    if not hmac.compare_digest(proof, original):
        raise CorruptError("A newly sealed value does not open to the same; nothing was stored.")


def _unwrap(kms: RootKms, wrapped_kek: bytes, context: VaultContext) -> bytearray:
    if len(wrapped_kek) > WRAPPED_BYTES_MAX:
        raise CorruptError("A wrapped vault key is larger than any KMS makes; restore the vault.")
    return kms.unwrap(wrapped_kek, context.aad())


def _require_envelope(context: SecretContext) -> None:
    if context.mode != "envelope":
        raise ValueError(f"The mode of this secret is {context.mode}, not envelope.")
