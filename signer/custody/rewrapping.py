"""Rewraps data keys, KEKs and shares under new keys without opening any secret.

A rotation may stop anywhere: every sealed secret names its KEK, so secrets under old and new KEKs
open side by side, and a resumed rotation skips those that are done.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache
from typing import TypeAlias

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from signer.custody.aead import KEY_BYTES
from signer.custody.buffers import RandomBytes, draw, wiping
from signer.custody.context import Layer, SecretContext, VaultContext
from signer.custody.custody_modes import PLANS
from signer.custody.envelope import (
    SealedSecret,
    WrappedShare,
    open_vault_key,
    require_same,
    seal_layer,
    unseal_layer,
)
from signer.custody.errors import CorruptError, CustodyError, KmsKeyNotFoundError
from signer.custody.kms.port import RootKms

Entry = tuple[SecretContext, SealedSecret]
OnFailure: TypeAlias = Callable[[SecretContext, CustodyError], None]
NOT_OPEN = (CorruptError, KmsKeyNotFoundError)
"""Errors of a single layer that say nothing about the other secrets, so a rotation continues."""


def _raise(_context: SecretContext, error: CustodyError) -> None:
    raise error


def rewrap_deks(
    kms: RootKms,
    context: VaultContext,
    new_wrapped_kek: bytes,
    entries: Iterable[Entry],
    random_bytes: RandomBytes,
    failed: OnFailure = _raise,
) -> Iterator[Entry]:
    """Yield a vault's secrets with their DEKs, or the server's halves, under the vault's new KEK.

    Each is unwrapped once before it is yielded; secrets already under the new KEK are skipped, and
    no secret is decrypted. If a layer does not open, ``failed`` is called; the secret is skipped
    unless it raises. Also raises what ``RootKms`` raises, and ``ValueError`` for a secret of
    another vault or of a mode without KEK.
    """
    new_kek, former = open_vault_key(kms, new_wrapped_kek, context), _kek_cache(kms, context)
    for secret_context, sealed in entries:
        _require_vault(context, secret_context)
        if sealed.wrapped_kek == new_wrapped_kek:
            continue
        try:
            blob = _rewrap_dek(
                former(sealed.wrapped_kek), new_kek, secret_context, sealed, random_bytes
            )
        except NOT_OPEN as error:
            failed(secret_context, error)
            continue
        yield secret_context, replace(sealed, wrapped_kek=new_wrapped_kek, wrapped_dek=blob)


def _rewrap_dek(
    old_kek: AESGCM,
    new_kek: AESGCM,
    context: SecretContext,
    sealed: SealedSecret,
    random_bytes: RandomBytes,
) -> bytes:
    layer = Layer.SHARE if PLANS[context.mode].needs_client else Layer.DEK
    with wiping(unseal_layer(old_kek, sealed.wrapped_dek, context, layer)) as dek:
        return seal_layer(new_kek, dek, context.aad(layer), random_bytes)


def _kek_cache(kms: RootKms, context: VaultContext) -> Callable[[bytes], AESGCM]:
    """Return a function that opens former KEKs and caches results and errors, for many versions."""

    @cache
    def cached(wrapped_kek: bytes) -> AESGCM | CustodyError:
        try:
            return open_vault_key(kms, wrapped_kek, context)
        except NOT_OPEN as error:
            return error

    def former(wrapped_kek: bytes) -> AESGCM:
        found = cached(wrapped_kek)
        if isinstance(found, CustodyError):
            raise found
        return found

    return former


def rewrap_vault_key(old: RootKms, new: RootKms, context: VaultContext, wrapped: bytes) -> bytes:
    """Return a vault's KEK wrapped by another root, after unwrapping it there once.

    The KEK itself does not change, so nothing under it changes. Raises what either root raises.
    """
    return _rewrap(old, new, wrapped, context.aad())


def rewrap_share(
    old: RootKms, new: RootKms, context: SecretContext, sealed: SealedSecret, provider: str
) -> SealedSecret:
    """Return a secret with one provider's share rewrapped by that provider's new root.

    The other shares do not change, and no DEK is rebuilt. Raises what either root raises, and
    ``ValueError`` if the provider holds no share.
    """
    held = [share.provider for share in sealed.wrapped_shares]
    index, shares = held.index(provider), list(sealed.wrapped_shares)
    blob = _rewrap(old, new, shares[index].blob, context.share_aad(provider))
    shares[index] = WrappedShare(provider, blob)
    return replace(sealed, wrapped_shares=tuple(shares))


def verify_root(kms: RootKms, aad: bytes, random_bytes: RandomBytes) -> None:
    """Verify that a root unwraps what it wraps; raise what it raises, or ``CorruptError``."""
    with wiping(draw(random_bytes, KEY_BYTES)) as drawn:
        wrapped = kms.wrap(drawn, aad)
        with wiping(kms.unwrap(wrapped, aad)) as proof:
            require_same(proof, drawn)


def _rewrap(old: RootKms, new: RootKms, wrapped: bytes, aad: bytes) -> bytes:
    with wiping(old.unwrap(wrapped, aad)) as key:
        rewrapped = new.wrap(key, aad)
        with wiping(new.unwrap(rewrapped, aad)) as proof:
            require_same(proof, key)
    return rewrapped


def _require_vault(context: VaultContext, secret_context: SecretContext) -> None:
    if secret_context.vault_context != context or not PLANS[context.mode].has_vault_key:
        raise ValueError("A KEK is rotated only for the secrets of its own vault.")
