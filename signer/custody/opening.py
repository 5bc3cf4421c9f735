"""Opening in every custody mode: collects the parts of the DEK from their holders concurrently.

A provider may be down, hang, or return a wrong share: ``signer.custody.share_combination`` finds
the shares that open the secret, and the calls that are left are abandoned.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from signer.custody.aead import KEY_BYTES
from signer.custody.buffers import wiping
from signer.custody.context import Layer, SecretContext
from signer.custody.custody_modes import PLANS, SERVER_HALF, Plan
from signer.custody.data_key import join_client_half
from signer.custody.envelope import SealedSecret, open_under_dek, open_vault_key, unseal_layer
from signer.custody.errors import (
    Cause,
    ClientShareMissingError,
    CorruptError,
    ProviderFailure,
    SharesMismatchError,
)
from signer.custody.kms.port import RootKms
from signer.custody.provider import Answer, Provider, Work, ask_all
from signer.custody.sealing import Holders
from signer.custody.share import Share, decode_share
from signer.custody.share_combination import ShareCombination, UseKey, mismatch


@dataclass(frozen=True, slots=True)
class Opening:
    """An opened secret in a buffer the caller wipes, and the providers that failed meanwhile.

    A provider that had not answered when the others sufficed is not among them; if it fails later,
    its ``Provider`` reports that.
    """

    secret: bytearray = field(repr=False)
    failures: tuple[ProviderFailure, ...] = ()


def open_sealed(
    holders: Holders,
    context: SecretContext,
    sealed: SealedSecret,
    client_share: bytes | bytearray | None = None,
) -> Opening:
    """Open a secret in the mode of its context; the caller wipes ``client_share``.

    Raises what ``RootKms`` raises for a vault's KEK; ``QuorumError`` if too few providers return a
    share; ``ClientShareMissingError``; ``SharesMismatchError`` for a wrong client share, or one in
    a mode without client shares; and ``CorruptError``.
    """
    plan = PLANS[context.mode]
    client = _decode_client_share(plan, client_share)
    try:
        if plan.has_vault_key:
            return Opening(_open_with_vault_key(plan, holders.root, context, sealed, client))
        return open_by_providers(holders, context, sealed, client)
    finally:
        if client is not None:
            client.wipe()


def open_by_providers(
    holders: Holders,
    context: SecretContext,
    sealed: SealedSecret,
    client: Share | None,
    use_key: UseKey = open_under_dek,
) -> Opening:
    """Open with providers' shares and the client's part, if given; return what ``use_key`` returns.

    Used by ``open_sealed``, which requires the client's part, and by a recovery, which opens
    without it and takes the DEK instead of the secret.
    """
    plan = PLANS[context.mode]
    if len(sealed.wrapped_shares) != plan.providers or sealed.wrapped_kek or sealed.wrapped_dek:
        raise _wrong_mode(context)
    combination = ShareCombination(plan, context, sealed.ciphertext, client, use_key)
    try:
        return _combine_shares(combination, holders, context, sealed)
    finally:
        combination.close()


def _combine_shares(
    combination: ShareCombination, holders: Holders, context: SecretContext, sealed: SealedSecret
) -> Opening:
    calls = list(_requests(combination, holders, context, sealed))
    with ask_all([(provider, work) for _, provider, work in calls]) as answers:
        for answer in answers:
            number, provider, _ = calls[answer.index]
            secret = _add(combination, provider.name, number, answer)
            if secret is not None:
                return Opening(secret, tuple(combination.failures))
    raise combination.error()


def _requests(
    combination: ShareCombination, holders: Holders, context: SecretContext, sealed: SealedSecret
) -> Iterator[tuple[int, Provider, Work]]:
    """Yield each share's number, its provider, and the call that unwraps it."""
    by_name = {provider.name: provider for provider in holders.providers}
    for number, share in enumerate(sealed.wrapped_shares, 1):
        if share.provider in by_name:
            work = partial(_unwrap, blob=share.blob, aad=context.share_aad(share.provider))
            yield number, by_name[share.provider], work
        else:
            combination.fail(share.provider, Cause.NOT_CONFIGURED)


def _add(
    combination: ShareCombination, provider: str, number: int, answer: Answer
) -> bytearray | None:
    if answer.failure is not None:
        combination.fail(provider, answer.failure.cause)
        return None
    with wiping(answer.buffer()) as encoded:
        return combination.add(provider, number, encoded)


def _unwrap(kms: RootKms, blob: bytes, aad: bytes) -> bytearray:
    return kms.unwrap(blob, aad)


def _open_with_vault_key(
    plan: Plan, root: RootKms, context: SecretContext, sealed: SealedSecret, client: Share | None
) -> bytearray:
    """Open with the vault's KEK, which wraps the whole DEK or the server's half of it."""
    if sealed.wrapped_shares:
        raise _wrong_mode(context)
    kek = open_vault_key(root, sealed.wrapped_kek, context.vault_context)
    if client is None:
        dek = unseal_layer(kek, sealed.wrapped_dek, context, Layer.DEK)
        return open_under_dek(dek, context, sealed.ciphertext)
    with wiping(unseal_layer(kek, sealed.wrapped_dek, context, Layer.SHARE)) as encoded:
        half = decode_share(encoded, SERVER_HALF, KEY_BYTES)
    dek = join_client_half(plan, half.value, client)
    try:
        return open_under_dek(dek, context, sealed.ciphertext)
    except CorruptError:
        raise mismatch(context) from None


def _decode_client_share(plan: Plan, encoded: bytes | bytearray | None) -> Share | None:
    if encoded is None:
        if plan.needs_client:
            raise ClientShareMissingError(
                "This vault opens only with the client share: add it with --share."
            )
        return None
    if not plan.needs_client:
        raise SharesMismatchError(
            "The shares do not belong together: this vault's mode has no client share."
        )
    return decode_share(encoded, plan.client_number, KEY_BYTES)


def _wrong_mode(context: SecretContext) -> CorruptError:
    return CorruptError(
        f"{context.path}, version {context.version}, in vault {context.vault} is not sealed in "
        f"mode {context.mode}: it was modified; restore it from a backup."
    )
