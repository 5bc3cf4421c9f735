"""Opening in every custody mode: the parts of the DEK come from their holders, all at once.

A provider may be down, hang or lie: ``signer.custody.share_combination`` finds the shares that open
the secret, and nobody waits for the others.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from signer.custody.aead import KEY_BYTES
from signer.custody.buffers import wiping
from signer.custody.context import Layer, SecretContext
from signer.custody.data_key import join_client_half
from signer.custody.envelope import SealedSecret, open_under_dek, open_vault_key, unseal_layer
from signer.custody.errors import ClientShareMissingError, CorruptError, SharesMismatchError
from signer.custody.failures import Cause, ProviderFailure
from signer.custody.kms.port import RootKms
from signer.custody.modes import PLANS, SERVER_HALF, Plan
from signer.custody.provider import Answer, Provider, Work, ask_all
from signer.custody.sealing import Holders
from signer.custody.share import Share, decode_share
from signer.custody.share_combination import ShareCombination, Yields, mismatch


@dataclass(frozen=True, slots=True)
class Opening:
    """An opened secret, in a buffer the caller wipes, and which providers failed on the way.

    A provider that had not answered when the others sufficed is not among them; should it fail
    later, the report of its ``Provider`` is told.
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

    Raise what ``RootKms`` raises for a vault's KEK; ``QuorumError`` when too few providers give a
    share, ``ClientShareMissingError``, ``SharesMismatchError`` for a client's share that is wrong
    or that the mode does not have, and ``CorruptError``.
    """
    plan = PLANS[context.mode]
    client = _read_client_share(plan, client_share)
    try:
        if plan.has_vault_key:
            return Opening(_open_kept(plan, holders.root, context, sealed, client))
        return open_by_providers(holders, context, sealed, client)
    finally:
        if client is not None:
            client.wipe()


def open_by_providers(
    holders: Holders,
    context: SecretContext,
    sealed: SealedSecret,
    client: Share | None,
    yields: Yields = open_under_dek,
) -> Opening:
    """Open with the client's part, if it takes part, and as many providers as that leaves to ask.

    For ``open_sealed``, which insists on the client's part, and for a recovery, which does not and
    wants something else than the secret.
    """
    plan = PLANS[context.mode]
    if len(sealed.wrapped_shares) != plan.providers or sealed.wrapped_kek or sealed.wrapped_dek:
        raise _of_another_mode(context)
    rebuilding = ShareCombination(plan, context, sealed.ciphertext, client, yields)
    try:
        return _gather(rebuilding, holders, context, sealed)
    finally:
        rebuilding.close()


def _gather(
    rebuilding: ShareCombination, holders: Holders, context: SecretContext, sealed: SealedSecret
) -> Opening:
    asked = list(_to_ask(rebuilding, holders, context, sealed))
    with ask_all([(provider, work) for _, provider, work in asked]) as answers:
        for answer in answers:
            number, provider, _ = asked[answer.place]
            secret = _take(rebuilding, provider.name, number, answer)
            if secret is not None:
                return Opening(secret, tuple(rebuilding.failures))
    raise rebuilding.lost()


def _to_ask(
    rebuilding: ShareCombination, holders: Holders, context: SecretContext, sealed: SealedSecret
) -> Iterator[tuple[int, Provider, Work]]:
    """Yield each share's number, its provider and what that is to unwrap."""
    by_name = {provider.name: provider for provider in holders.providers}
    for number, share in enumerate(sealed.wrapped_shares, 1):
        if share.provider in by_name:
            work = partial(_unwrap, blob=share.blob, aad=context.share_aad(share.provider))
            yield number, by_name[share.provider], work
        else:
            rebuilding.fail(share.provider, Cause.NOT_CONFIGURED)


def _take(
    rebuilding: ShareCombination, provider: str, number: int, answer: Answer
) -> bytearray | None:
    if answer.failure is not None:
        rebuilding.fail(provider, answer.failure.cause)
        return None
    with wiping(answer.buffer()) as encoded:
        return rebuilding.take(provider, number, encoded)


def _unwrap(kms: RootKms, blob: bytes, aad: bytes) -> bytearray:
    return kms.unwrap(blob, aad)


def _open_kept(
    plan: Plan, root: RootKms, context: SecretContext, sealed: SealedSecret, client: Share | None
) -> bytearray:
    """Open with what the vault's KEK wraps: the whole DEK, or the half beside the client's."""
    if sealed.wrapped_shares:
        raise _of_another_mode(context)
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


def _read_client_share(plan: Plan, encoded: bytes | bytearray | None) -> Share | None:
    if encoded is None:
        if plan.needs_client:
            raise ClientShareMissingError(
                "This vault opens only with the client's share: bring it too (--share)."
            )
        return None
    if not plan.needs_client:
        raise SharesMismatchError(
            "The shares do not belong together: this vault's mode has no client's share."
        )
    return decode_share(encoded, plan.client_number, KEY_BYTES)


def _of_another_mode(context: SecretContext) -> CorruptError:
    return CorruptError(
        f"{context.path}, version {context.version}, in vault {context.vault} is not sealed as "
        f"{context.mode} seals: it was changed; restore it from a backup."
    )
