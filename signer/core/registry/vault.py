"""Vaults as the registry defines them: created once, never changed or deleted; pure.

The registry orders its records, so it alone decides which record created a vault. As a vault never
changes, events of other topics about it are valid or not regardless of when they are read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from schemas.registry.custody import (
    KEY_VAULTS,
    PROVIDER_COUNT,
    PROVIDERS,
    SERVER,
    TREASURY_KEYS,
    CustodyMode,
    Tier,
)
from schemas.registry.records import VaultCreated
from signer.core.errors import RegistryEntryError

RESERVED = "__"
"""Prefix of the names of vaults that every account has automatically."""
TREASURY_MODES: Mapping[Tier, CustodyMode] = MappingProxyType(
    {
        "pro": "2of2_client_custody",
        "team": "2of2_client_custody",
        "business": "2of3_multi_hsm",
        "enterprise": "2of3_multi_hsm",
    }
)
VaultId: TypeAlias = tuple[str, str]
"""An account and the name of its vault."""


@dataclass(frozen=True, slots=True)
class Vault:
    """One account's vault: its custody mode, and its providers in the order of their shares."""

    account: str
    name: str
    mode: CustodyMode
    providers: tuple[str, ...] = ()

    @property
    def id(self) -> VaultId:
        """Its account and name."""
        return self.account, self.name

    @property
    def holds_keys(self) -> bool:
        """Whether it holds signing keys, and nothing else."""
        return self.name in KEY_VAULTS


def vault_from_record(entry: VaultCreated, tier: Tier | None) -> Vault:
    """Return the vault that a record creates; raise ``RegistryEntryError``."""
    if entry.vault.startswith(RESERVED) and entry.vault not in KEY_VAULTS:
        known = " and ".join(KEY_VAULTS)
        raise RegistryEntryError(
            f"names that begin with {RESERVED} are reserved for {known}: choose another name"
        )
    mode = entry.mode or default_mode(entry.vault, tier)
    if mode is None:
        raise RegistryEntryError(
            f"{entry.vault} has no custody mode: give one (--mode), or set org.tier first"
        )
    return Vault(entry.account, entry.vault, mode, _providers(mode, entry.providers))


def initial_vaults(account: str, tier: Tier | None) -> Iterator[Vault]:
    """Yield the vaults that a new account gets, unless records created them before."""
    for name in KEY_VAULTS:
        mode = default_mode(name, tier)
        if mode is not None:
            yield Vault(account, name, mode, _providers(mode, ()))


def default_mode(vault: str, tier: Tier | None) -> CustodyMode | None:
    """Return the mode of a vault whose record names no mode; None if it has no default."""
    if vault == TREASURY_KEYS:
        return TREASURY_MODES[tier] if tier else None
    return "envelope"


def _providers(mode: CustodyMode, named: tuple[str, ...]) -> tuple[str, ...]:
    count = PROVIDER_COUNT[mode]
    providers = named or PROVIDERS[:count]
    if SERVER in providers:
        raise RegistryEntryError(f'"{SERVER}" is reserved and cannot be a provider name')
    if len(providers) != count or len(set(providers)) != count:
        how = f"{count} different providers or omit them" if count else "no providers"
        raise RegistryEntryError(f"a vault of mode {mode} must name {how}")
    return providers
