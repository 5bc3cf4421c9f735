"""Changing the keys above a secret without opening it.

A rotation may stop anywhere: every sealed secret names the KEK that it is under, so old and new
ones open side by side, and going on means to skip those that are done.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache
from typing import TypeAlias

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from signer.custody.aead import KEY_BYTES
from signer.custody.buffers import RandomBytes, draw, wiping
from signer.custody.context import Layer, SecretContext, VaultContext
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
from signer.custody.modes import PLANS

Entry = tuple[SecretContext, SealedSecret]
Failed: TypeAlias = Callable[[SecretContext, CustodyError], None]
NOT_OPEN = (CorruptError, KmsKeyNotFoundError)
"""How one layer fails whatever becomes of the others: it is not what it should be."""


def _raise(_context: SecretContext, error: CustodyError) -> None:
    raise error


def rewrap_deks(
    kms: RootKms,
    context: VaultContext,
    new_wrapped_kek: bytes,
    entries: Iterable[Entry],
    random_bytes: RandomBytes,
    failed: Failed = _raise,
) -> Iterator[Entry]:
    """Yield a vault's secrets with their DEKs, or the server's halves, under the vault's new KEK.

    Each is proven to unwrap to the same before it is yielded; one that is under the new KEK already
    is left out, and no secret is decrypted. One of which a layer does not open is told to
    ``failed``, which raises unless it is left out too. Raise what ``RootKms`` raises otherwise,
    ``ValueError`` for a secret of another vault or of a mode without KEK.
    """
    new_kek, former = open_vault_key(kms, new_wrapped_kek, context), _opened_once(kms, context)
    for secret_context, sealed in entries:
        _require_vault(context, secret_context)
        if sealed.wrapped_kek == new_wrapped_kek:
            continue
        try:
            blob = _moved(former(sealed.wrapped_kek), new_kek, secret_context, sealed, random_bytes)
        except NOT_OPEN as error:
            failed(secret_context, error)
            continue
        yield secret_context, replace(sealed, wrapped_kek=new_wrapped_kek, wrapped_dek=blob)


def _moved(
    old_kek: AESGCM,
    new_kek: AESGCM,
    context: SecretContext,
    sealed: SealedSecret,
    random_bytes: RandomBytes,
) -> bytes:
    layer = Layer.SHARE if PLANS[context.mode].needs_client else Layer.DEK
    with wiping(unseal_layer(old_kek, sealed.wrapped_dek, context, layer)) as dek:
        return seal_layer(new_kek, dek, context.aad(layer), random_bytes)


def _opened_once(kms: RootKms, context: VaultContext) -> Callable[[bytes], AESGCM]:
    """Return what opens each former KEK once, also one that does not open: thousands wait there."""

    @cache
    def tried(wrapped_kek: bytes) -> AESGCM | CustodyError:
        try:
            return open_vault_key(kms, wrapped_kek, context)
        except NOT_OPEN as error:
            return error

    def former(wrapped_kek: bytes) -> AESGCM:
        found = tried(wrapped_kek)
        if isinstance(found, CustodyError):
            raise found
        return found

    return former


def rewrap_vault_key(old: RootKms, new: RootKms, context: VaultContext, wrapped: bytes) -> bytes:
    """Return a vault's KEK wrapped by another root, proven to unwrap there to the same.

    The KEK stays what it was, so nothing under it changes. Raise what either root raises.
    """
    return _rewrap(old, new, wrapped, context.aad())


def rewrap_share(
    old: RootKms, new: RootKms, context: SecretContext, sealed: SealedSecret, provider: str
) -> SealedSecret:
    """Return a secret with one provider's share wrapped by that provider's new root, proven.

    The other shares stay untouched, and no DEK is rebuilt. Raise what either root raises,
    ``ValueError`` where the provider holds no share.
    """
    held = [share.provider for share in sealed.wrapped_shares]
    at, shares = held.index(provider), list(sealed.wrapped_shares)
    blob = _rewrap(old, new, shares[at].blob, context.share_aad(provider))
    shares[at] = WrappedShare(provider, blob)
    return replace(sealed, wrapped_shares=tuple(shares))


def prove_root(kms: RootKms, aad: bytes, random_bytes: RandomBytes) -> None:
    """Raise what a root raises, or ``CorruptError``, unless it unwraps what it wraps under this."""
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
        raise ValueError("A KEK is rotated for the secrets of its own vault alone.")
