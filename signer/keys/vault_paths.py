"""Paths in vaults: one version of a secret, and the vault of a key whose order names none. Pure."""

from collections.abc import Container
from typing import NamedTuple

from schemas.registry.custody import AGENT_KEYS, TREASURY_KEYS
from signer.core.registry.vault import VaultId

TREASURY_PATHS = "wallets/"


class VersionId(NamedTuple):
    """One version of one secret."""

    account: str
    vault: str
    path: str
    version: int

    def __str__(self) -> str:
        return f"{self.path}, version {self.version}, in {self.vault} of {self.account}"


def default_vaults(path: str) -> tuple[str, ...]:
    """Return the vaults that may hold a key at a path if its order names no vault."""
    return (AGENT_KEYS, TREASURY_KEYS) if path.startswith(TREASURY_PATHS) else (AGENT_KEYS,)


def default_vault(account: str, path: str, vaults: Container[VaultId]) -> str:
    """Return the vault of a key whose order names no vault: the treasury's for wallets.

    An account without a treasury vault keeps wallets with its agents' keys.
    """
    known = [name for name in default_vaults(path) if (account, name) in vaults]
    return known[-1] if known else AGENT_KEYS
