"""Sealing and opening in a vault: its mode, its own holders in its order, its names."""

from schemas.client_share import SharePlace
from schemas.fields import X25519PublicKey
from signer.custody.buffers import RandomBytes
from signer.custody.context import SecretContext
from signer.custody.envelope import new_vault_key
from signer.custody.errors import ClientShareMissingError, QuorumError
from signer.custody.failures import Cause, ProviderFailure
from signer.custody.hpke import seal_for
from signer.custody.sealing import Holders, Sealing, seal
from signer.vaults.vault import Vault, VersionPlace


def context_in(org: str, vault: Vault, path: str, version: int) -> SecretContext:
    """Return what a version in a vault is sealed under."""
    return SecretContext(
        org=org,
        account=vault.account,
        vault=vault.name,
        path=path,
        version=version,
        mode=vault.mode,
    )


def place_in(context: SecretContext) -> VersionPlace:
    """Return the version that a context is of."""
    return VersionPlace(context.account, context.vault, context.path, context.version)


def share_place(context: SecretContext) -> SharePlace:
    """Return the version whose client's share is on its way."""
    return SharePlace(**context.model_dump(exclude={"mode"}))


def holders_of(vault: Vault, known: Holders) -> Holders:
    """Return those holders of a vault that this process knows, in the vault's order.

    One that is missing is one that fails, as far as opening goes.
    """
    by_name = {provider.name: provider for provider in known.providers}
    present = tuple(by_name[name] for name in vault.providers if name in by_name)
    return Holders(known.root, present)


def seal_in(
    vault: Vault,
    known: Holders,
    wrapped_kek: bytes | None,
    context: SecretContext,
    secret: bytes | bytearray,
    random_bytes: RandomBytes,
) -> Sealing:
    """Seal a version as ``seal`` does, under a new KEK where the vault wants one and has none.

    Raise also ``QuorumError`` where the settings do not name all of the vault's providers.
    """
    holders = holders_of(vault, known)
    names = {provider.name for provider in holders.providers}
    absent = tuple(name for name in vault.providers if name not in names)
    if absent:
        raise QuorumError(
            f"The vault {vault.name} wants {', '.join(absent)}: name them in the settings.",
            tuple(ProviderFailure(name, Cause.NOT_CONFIGURED) for name in absent),
        )
    if vault.plan.has_vault_key and wrapped_kek is None:
        wrapped_kek = new_vault_key(known.root, context.vault_context, random_bytes)
    return seal(holders, wrapped_kek or b"", context, secret, random_bytes)


def require_client(vault: Vault, share_for: X25519PublicKey | None) -> None:
    """Raise ``ClientShareMissingError`` unless somebody is to get the share, if there is one."""
    if vault.plan.needs_client is not (share_for is not None):
        raise ClientShareMissingError(
            f"An order in a vault of mode {vault.mode} names the client's public key exactly if "
            "the mode has a client's share."
        )


def hand_over(
    share_for: X25519PublicKey | None, context: SecretContext, share: bytearray | None
) -> bytes | None:
    """Return the client's share sealed for the client; raise ``ClientShareMissingError``."""
    if share is None or share_for is None:
        return None
    return sealed_share(share_for, context, share)


def sealed_share(share_for: X25519PublicKey, context: SecretContext, share: bytearray) -> bytes:
    """Return a share sealed for the client; raise ``ClientShareMissingError``."""
    try:
        return seal_for(share_for, share, share_place(context).to_client())
    except ValueError:
        raise ClientShareMissingError(
            "The client's public key that the order names is none: give the order again."
        ) from None
