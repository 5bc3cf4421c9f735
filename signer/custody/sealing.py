"""Sealing in every custody mode: splits the DEK and wraps each part at its holder.

Every wrapped part is unwrapped once before anything relies on it: some clouds wrap with a public
key and never check whether the private key exists.
"""

from dataclasses import dataclass, field
from functools import partial

from signer.custody import aead
from signer.custody.buffers import RandomBytes, draw, wiping
from signer.custody.context import Layer, SecretContext
from signer.custody.custody_modes import PLANS, SERVER_HALF, Plan
from signer.custody.data_key import Parts, split_data_key
from signer.custody.envelope import (
    SealedSecret,
    WrappedShare,
    open_vault_key,
    require_same,
    seal_layer,
    seal_under_dek,
)
from signer.custody.errors import QuorumError
from signer.custody.kms.port import RootKms
from signer.custody.provider import Provider, Work, ask_all
from signer.custody.share import Share


@dataclass(frozen=True, slots=True)
class Holders:
    """Key holders of vaults: the root of their KEKs, and providers in a vault's order."""

    root: RootKms
    providers: tuple[Provider, ...] = ()


@dataclass(frozen=True, slots=True)
class Sealing:
    """A sealed secret, and the only copy of the client share, if the mode has one.

    The share is encoded by ``Share.encode``; the caller seals it for the client and wipes it.
    """

    sealed: SealedSecret
    client_share: bytearray | None = field(default=None, repr=False)


def seal(
    holders: Holders,
    wrapped_kek: bytes,
    context: SecretContext,
    secret: bytes | bytearray,
    random_bytes: RandomBytes,
) -> Sealing:
    """Seal one version of a secret in the mode of its context; the caller wipes ``secret``.

    ``wrapped_kek`` is the vault's, and empty in modes whose DEKs providers hold; those modes need
    exactly the plan's number of ``holders.providers`` (``ValueError``), and all of them must answer
    (``QuorumError``). Also raises what ``RootKms`` raises, ``CorruptError``, ``SecretSizeError``.
    """
    plan = PLANS[context.mode]
    _require_holders(plan, holders, wrapped_kek)
    with wiping(draw(random_bytes, aead.KEY_BYTES)) as dek:
        ciphertext = seal_under_dek(dek, context, secret, random_bytes)
        parts = split_data_key(plan, dek, random_bytes)
    try:
        if plan.has_vault_key:
            wrapped_dek = _wrap_with_vault_key(
                holders.root, wrapped_kek, context, parts, random_bytes
            )
            sealed = SealedSecret(wrapped_kek, wrapped_dek, ciphertext)
        else:
            shares = wrap_shares(holders.providers, context, parts.shares)
            sealed = SealedSecret(b"", b"", ciphertext, shares)
        return Sealing(sealed, parts.client.encode() if parts.client else None)
    finally:
        parts.wipe()


def _require_holders(plan: Plan, holders: Holders, wrapped_kek: bytes) -> None:
    names = {provider.name for provider in holders.providers}
    roots = {provider.kms.key_id for provider in holders.providers}
    if plan.providers and not len(names) == len(roots) == len(holders.providers) == plan.providers:
        raise ValueError(
            f"This custody mode needs {plan.providers} providers of different names and root keys."
        )
    if bool(wrapped_kek) is not plan.has_vault_key:
        raise ValueError("A vault has either a KEK, or providers that hold its data keys.")


def _wrap_with_vault_key(
    root: RootKms,
    wrapped_kek: bytes,
    context: SecretContext,
    parts: Parts,
    random_bytes: RandomBytes,
) -> bytes:
    """Wrap the whole DEK, or the server's half of it, under the vault's KEK."""
    kek = open_vault_key(root, wrapped_kek, context.vault_context)
    if parts.client is None:
        return seal_layer(kek, parts.server_part, context.aad(Layer.DEK), random_bytes)
    with wiping(Share(SERVER_HALF, parts.server_part).encode()) as half:
        return seal_layer(kek, half, context.aad(Layer.SHARE), random_bytes)


def wrap_shares(
    providers: tuple[Provider, ...], context: SecretContext, shares: tuple[Share, ...]
) -> tuple[WrappedShare, ...]:
    """Have each provider wrap and unwrap its share; return the blobs; raise ``QuorumError``."""
    calls: list[tuple[Provider, Work]] = [
        (provider, partial(_wrap_and_prove, share=share, aad=context.share_aad(provider.name)))
        for provider, share in zip(providers, shares, strict=True)
    ]
    with ask_all(calls) as answers:
        wrapped = sorted(answers, key=lambda answer: answer.index)
    failures = tuple(answer.failure for answer in wrapped if answer.failure)
    if failures:
        missing = ", ".join(f"{failure.provider} ({failure.cause})" for failure in failures)
        raise QuorumError(
            f"Every provider must wrap its share of a secret; failed: {missing}. Nothing was "
            "stored: retry when all providers answer.",
            failures,
        )
    return tuple(
        WrappedShare(provider.name, bytes(answer.content))
        for provider, answer in zip(providers, wrapped, strict=True)
    )


def _wrap_and_prove(kms: RootKms, share: Share, aad: bytes) -> bytes:
    with wiping(share.encode()) as encoded:
        wrapped = kms.wrap(encoded, aad)
        with wiping(kms.unwrap(wrapped, aad)) as proof:
            require_same(proof, encoded)
    return wrapped
