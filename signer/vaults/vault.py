"""Vaults as the registry has them: made once, never changed, and never gone; pure.

That a vault's terms are for ever is a question of which record came first, and the registry alone
has one order for it. As nothing about a vault ever changes, a key sealed in it on another topic is
judged alike whenever it is read.
"""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from schemas.custody import AGENT_KEYS, KEY_VAULTS, PROVIDERS, TREASURY_KEYS, CustodyMode, Tier
from schemas.registry import VaultCreated
from signer.custody.context import SERVER
from signer.custody.modes import PLANS, Plan

TREASURY_PATHS = "wallets/"
RESERVED = "__"
"""How the names of vaults begin that are made by themselves."""
TREASURY_MODES: Mapping[Tier, CustodyMode] = MappingProxyType(
    {
        "pro": "2of2_client_custody",
        "team": "2of2_client_custody",
        "business": "2of3_multi_hsm",
        "enterprise": "2of3_multi_hsm",
    }
)
VaultId: TypeAlias = tuple[str, str]
"""An account and the name of a vault of it."""


class VersionId(NamedTuple):
    """One version of one secret."""

    account: str
    vault: str
    path: str
    version: int

    def __str__(self) -> str:
        return f"{self.path}, version {self.version}, in {self.vault} of {self.account}"


class VaultRecordError(ValueError):
    """Terms that no vault can have; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Vault:
    """One account's vault: its mode, and the providers that hold shares in it, in their order."""

    account: str
    name: str
    mode: CustodyMode
    providers: tuple[str, ...] = ()

    @property
    def place(self) -> VaultId:
        """Where it is."""
        return self.account, self.name

    @property
    def plan(self) -> Plan:
        """How its mode holds a data key."""
        return PLANS[self.mode]

    @property
    def holds_keys(self) -> bool:
        """Whether signing keys lie in it, and nothing but them."""
        return self.name in KEY_VAULTS


def vault_from_record(entry: VaultCreated, tier: Tier | None) -> Vault:
    """Return the vault that a record makes; raise ``VaultRecordError`` for one that cannot be."""
    if entry.vault.startswith(RESERVED) and entry.vault not in KEY_VAULTS:
        known = " and ".join(KEY_VAULTS)
        raise VaultRecordError(f"names that begin with {RESERVED} are reserved: there are {known}")
    mode = entry.mode or default_mode(entry.vault, tier)
    if mode is None:
        raise VaultRecordError(
            f"{entry.vault} has no mode: name one (--mode), or set org.tier first"
        )
    return Vault(entry.account, entry.vault, mode, _providers(mode, entry.providers))


def initial_vaults(account: str, tier: Tier | None) -> Iterator[Vault]:
    """Yield the vaults that an account has from when it is opened, unless they were set before."""
    for name in KEY_VAULTS:
        mode = default_mode(name, tier)
        if mode is not None:
            yield Vault(account, name, mode, _providers(mode, ()))


def default_mode(vault: str, tier: Tier | None) -> CustodyMode | None:
    """Return the mode of a vault whose record names none; None for one that has no default."""
    if vault == TREASURY_KEYS:
        return TREASURY_MODES[tier] if tier else None
    return "envelope"


def default_vaults(path: str) -> tuple[str, ...]:
    """Return the vaults that a key at a path may be in where its order names none."""
    return (AGENT_KEYS, TREASURY_KEYS) if path.startswith(TREASURY_PATHS) else (AGENT_KEYS,)


def default_vault(account: str, path: str, vaults: Container[VaultId]) -> str:
    """Return the vault that a key gets where its order names none: wallets are the treasury's.

    An account that has no treasury vault keeps them with its agents' keys, as ever.
    """
    known = [name for name in default_vaults(path) if (account, name) in vaults]
    return known[-1] if known else AGENT_KEYS


def _providers(mode: CustodyMode, named: tuple[str, ...]) -> tuple[str, ...]:
    wanted = PLANS[mode].providers
    providers = named or PROVIDERS[:wanted]
    if SERVER in providers:
        raise VaultRecordError(f"no provider is called {SERVER}: that holder is none")
    if len(providers) != wanted or len(set(providers)) != wanted:
        how = f"{wanted} different providers, or none" if wanted else "no providers"
        raise VaultRecordError(f"a vault of mode {mode} names {how}")
    return providers
