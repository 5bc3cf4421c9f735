"""Key resolution: maps an agent's request to the path and vault of one key."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from pydantic import TypeAdapter, ValidationError

from schemas.fields import KeyPath
from schemas.registry.key_chains import KeyChain
from schemas.registry.networks import key_chain_of
from signer.core.access import is_own

_KEY_PATH: TypeAdapter[str] = TypeAdapter(KeyPath)
_NETWORK = re.compile(r"[a-z0-9][a-z0-9_-]{0,55}", re.ASCII)


class VaultKeys(NamedTuple):
    """A vault on which an agent has a grant, with the paths of its keys."""

    name: str
    paths: Collection[str]


@dataclass(frozen=True, slots=True)
class Resolved:
    """The key that a request resolves to."""

    vault: str
    path: str


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Why a request does not resolve to a key.

    ``path`` is the last path looked up, if it is well-formed and names a single key.
    """

    code: Literal["chain_unknown", "path_malformed", "path_foreign", "not_found", "ambiguous"]
    detail: str
    path: str | None = None


Resolution: TypeAlias = Resolved | Unresolved


def agent_key_path(agent: str, chain: KeyChain = KeyChain.ETHEREUM) -> str:
    """Return the path of an agent's own key on a chain; EVM networks share one key."""
    return f"agents/{agent}/chains/{chain}/private_key"


def network_key_path(network: str) -> str:
    """Return the path of the default key of a network."""
    return f"keys/{network}-signer"


def resolve(
    agent: str,
    network: str,
    signing_key_path: str | None,
    vaults: Sequence[VaultKeys],
    *,
    evm_networks: Collection[str] = (),
    granted: Collection[str] = (),
) -> Resolution:
    """Resolve an agent's request on a network to a key.

    A named path is used if agents may name paths of that form, or if it was granted by name.
    Without a name, the agent's own key of the network's chain is used, or else the network's key.
    ``vaults`` are searched in order; a path in two vaults is ambiguous.
    """
    if signing_key_path is not None:
        refused = _path_problem(agent, signing_key_path, granted)
        return refused or _search([signing_key_path], vaults)
    chain = key_chain_of(network, evm_networks)
    if chain is None or not _NETWORK.fullmatch(network):
        return Unresolved("chain_unknown", f"there are no keys for a chain {network!a}")
    return _search([agent_key_path(agent, chain), network_key_path(network)], vaults)


def chain_at(path: str) -> KeyChain | None:
    """Return the only chain whose keys a path may hold; None if it may hold keys of any chain."""
    parts = path.split("/")
    match parts:
        case ["agents", _, "chains", chain, *_]:
            return KeyChain(chain) if chain in set(KeyChain) else None
        case ["keys", name] if name.endswith("-signer"):
            return key_chain_of(name.removesuffix("-signer"))
    return None


def _path_problem(agent: str, path: str, granted: Collection[str]) -> Unresolved | None:
    try:
        _KEY_PATH.validate_python(path)
    except ValidationError:
        return Unresolved("path_malformed", f"{path[:256]!a} is not a key path")
    if path.startswith(("keys/", "wallets/")) or is_own(agent, path) or path in granted:
        return None
    return Unresolved("path_foreign", f"{agent} may not use {path}", path)


def _search(paths: Sequence[str], vaults: Sequence[VaultKeys]) -> Resolution:
    for path in paths:
        holders = [vault.name for vault in vaults if path in vault.paths]
        if len(holders) > 1:
            return Unresolved("ambiguous", f"{path} is in {' and '.join(holders)}")
        if holders:
            return Resolved(holders[0], path)
    return Unresolved("not_found", f"no key at {' or '.join(paths)}", paths[-1])
