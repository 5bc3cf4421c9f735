"""Sealing and opening in a vault: its mode, its own holders in its order, its names."""

from signer.custody.buffers import RandomBytes
from signer.custody.context import SecretContext
from signer.custody.envelope import new_vault_key
from signer.custody.errors import QuorumError
from signer.custody.failures import Cause, ProviderFailure
from signer.custody.sealing import Holders, Sealing, seal
from signer.vaults.vault import Vault, VersionId


def secret_context(org: str, vault: Vault, path: str, version: int) -> SecretContext:
    """Return what a version in a vault is sealed under."""
    return SecretContext(
        org=org,
        account=vault.account,
        vault=vault.name,
        path=path,
        version=version,
        mode=vault.mode,
    )


def version_id(context: SecretContext) -> VersionId:
    """Return the version that a context is of."""
    return VersionId(context.account, context.vault, context.path, context.version)


def vault_holders(vault: Vault, known: Holders) -> Holders:
    """Return those holders of a vault that this process knows, in the vault's order.

    One that is missing is one that fails, as far as opening goes.
    """
    by_name = {provider.name: provider for provider in known.providers}
    present = tuple(by_name[name] for name in vault.providers if name in by_name)
    return Holders(known.root, present)


def seal_in_vault(
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
    holders = vault_holders(vault, known)
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
