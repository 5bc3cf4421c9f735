"""Sealing in a vault: builds the context of a version and selects the vault's key holders."""

from signer.core.registry.vault import Vault
from signer.custody.buffers import RandomBytes
from signer.custody.context import SecretContext
from signer.custody.custody_modes import PLANS
from signer.custody.envelope import new_vault_key
from signer.custody.errors import Cause, ProviderFailure, QuorumError
from signer.custody.sealing import Holders, Sealing, seal
from signer.keys.vault_paths import VersionId


def secret_context(org: str, vault: Vault, path: str, version: int) -> SecretContext:
    """Return the context that a version in a vault is sealed under."""
    return SecretContext(
        org=org,
        account=vault.account,
        vault=vault.name,
        path=path,
        version=version,
        mode=vault.mode,
    )


def version_id(context: SecretContext) -> VersionId:
    """Return the id of the version that a context names."""
    return VersionId(context.account, context.vault, context.path, context.version)


def vault_holders(vault: Vault, known: Holders) -> Holders:
    """Return the root and the vault's configured providers, in the vault's order.

    Opening treats a provider that is not configured as one that fails.
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
    """Seal a version as ``seal`` does; create the vault's KEK if it needs one and has no KEK yet.

    Also raises ``QuorumError`` unless the settings name all of the vault's providers.
    """
    holders = vault_holders(vault, known)
    names = {provider.name for provider in holders.providers}
    absent = tuple(name for name in vault.providers if name not in names)
    if absent:
        raise QuorumError(
            f"The vault {vault.name} needs {', '.join(absent)}: add them to the settings.",
            tuple(ProviderFailure(name, Cause.NOT_CONFIGURED) for name in absent),
        )
    if PLANS[vault.mode].has_vault_key and wrapped_kek is None:
        wrapped_kek = new_vault_key(known.root, context.vault_context, random_bytes)
    return seal(holders, wrapped_kek or b"", context, secret, random_bytes)
