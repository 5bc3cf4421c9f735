"""The envelope: a root key in a KMS wraps a vault's KEK, the KEK a DEK, the DEK one secret.

Every layer is authenticated with the names of where it belongs (``signer.custody.context``).
Nothing here reads a clock or draws randomness of its own; the only thing called is the KMS.
"""

import hmac
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from signer.custody import aead
from signer.custody.buffers import RandomBytes, draw, wiping
from signer.custody.context import Layer, SecretContext, VaultContext
from signer.custody.errors import CorruptError, SecretSizeError
from signer.custody.kms.port import RootKms

SECRET_BYTES_MAX = 64 * 1024
WRAPPED_KEK_BYTES_MAX = 6144
"""The largest blob a cloud KMS returns (AWS KMS, ``CiphertextBlob``)."""


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """One version of a secret as it is stored; useless without the root and its context.

    ``wrapped_kek`` is what the KMS made of the vault's KEK; the others are blobs of
    ``signer.custody.aead``.
    """

    wrapped_kek: bytes = field(repr=False)
    wrapped_dek: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)


def new_vault_key(kms: RootKms, context: VaultContext, random_bytes: RandomBytes) -> bytes:
    """Make a vault's KEK and return it wrapped by the root, proven to unwrap to the same key.

    Raise what ``RootKms`` raises; ``CorruptError`` when the KMS gives back another key.
    """
    with wiping(draw(random_bytes, aead.KEY_BYTES)) as kek:
        wrapped_kek = kms.wrap(kek, context.aad())
        with wiping(_unwrap(kms, wrapped_kek, context)) as proof:
            _require_same(proof, kek)
    return wrapped_kek


def seal_secret(
    kms: RootKms,
    wrapped_kek: bytes,
    context: SecretContext,
    secret: bytes | bytearray,
    random_bytes: RandomBytes,
) -> SealedSecret:
    """Seal one version of a secret (at most ``SECRET_BYTES_MAX`` bytes) under a DEK of its own.

    It is opened again before it is returned. Raise what ``open_secret`` raises, and
    ``SecretSizeError``; the caller still owns ``secret`` and wipes it.
    """
    if len(secret) > SECRET_BYTES_MAX:
        raise SecretSizeError(
            f"A secret of {len(secret)} bytes is over the limit of {SECRET_BYTES_MAX}; split it."
        )
    kek = _load_key(_unwrap(kms, wrapped_kek, context.vault_context))
    sealed = _seal_under(kek, wrapped_kek, context, secret, random_bytes)
    with wiping(_open_under(kek, context, sealed)) as proof:
        _require_same(proof, secret)
    return sealed


def open_secret(kms: RootKms, context: SecretContext, sealed: SealedSecret) -> bytearray:
    """Return the secret in a buffer the caller wipes.

    Raise what ``RootKms`` raises; ``CorruptError`` when any layer was changed, cut short, sealed
    under another context, or under another key.
    """
    kek = _load_key(_unwrap(kms, sealed.wrapped_kek, context.vault_context))
    return _open_under(kek, context, sealed)


def _unwrap(kms: RootKms, wrapped_kek: bytes, context: VaultContext) -> bytearray:
    if len(wrapped_kek) > WRAPPED_KEK_BYTES_MAX:
        raise CorruptError("A wrapped vault key is larger than any KMS makes; restore the vault.")
    return kms.unwrap(wrapped_kek, context.aad())


def _seal_under(
    kek: AESGCM,
    wrapped_kek: bytes,
    context: SecretContext,
    secret: bytes | bytearray,
    random_bytes: RandomBytes,
) -> SealedSecret:
    dek_nonce = draw(random_bytes, aead.NONCE_BYTES)
    secret_nonce = draw(random_bytes, aead.NONCE_BYTES)
    with wiping(draw(random_bytes, aead.KEY_BYTES)) as dek:
        wrapped_dek = aead.seal(kek, dek_nonce, dek, context.aad(Layer.DEK))
        cipher = aead.load_key(dek)
    ciphertext = aead.seal(cipher, secret_nonce, secret, context.aad(Layer.SECRET))
    return SealedSecret(wrapped_kek, wrapped_dek, ciphertext)


def _open_under(kek: AESGCM, context: SecretContext, sealed: SealedSecret) -> bytearray:
    dek = _load_key(_unseal(kek, sealed.wrapped_dek, context, Layer.DEK))
    return _unseal(dek, sealed.ciphertext, context, Layer.SECRET)


def _unseal(key: AESGCM, blob: bytes, context: SecretContext, layer: Layer) -> bytearray:
    try:
        return aead.unseal(key, blob, context.aad(layer))
    except CorruptError as error:
        raise CorruptError(
            f"The {layer} of {context.path}, version {context.version}, in vault {context.vault} "
            "does not open: it was changed, cut short, moved, or is of another key; "
            "restore it from a backup."
        ) from error


def _load_key(unwrapped: bytearray) -> AESGCM:
    with wiping(unwrapped):
        if len(unwrapped) != aead.KEY_BYTES:
            raise CorruptError("A blob unwrapped to something that is no key; restore the vault.")
        return aead.load_key(unwrapped)


def _require_same(proof: bytearray, original: bytes | bytearray) -> None:
    if not hmac.compare_digest(proof, original):
        raise CorruptError("What was just sealed does not open to the same; nothing was stored.")
