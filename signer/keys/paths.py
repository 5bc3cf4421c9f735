"""Which key a request means: the paths that names stand for, looked up in an agent's vaults."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from pydantic import TypeAdapter, ValidationError

from schemas.fields import KeyPath
from schemas.key_chains import KeyChain, key_chain_of

_KEY_PATH: TypeAdapter[str] = TypeAdapter(KeyPath)
_NETWORK = re.compile(r"[a-z0-9][a-z0-9_-]{0,55}", re.ASCII)


class VaultKeys(NamedTuple):
    """A vault on which an agent has a grant, and the paths of its keys."""

    name: str
    paths: Collection[str]


@dataclass(frozen=True, slots=True)
class Resolved:
    """The one key that a request means."""

    vault: str
    path: str


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Why a request means no key.

    ``path`` is the one that was looked for at last, where its form is right and it means one key.
    """

    code: Literal["chain_unknown", "path_malformed", "path_foreign", "not_found", "ambiguous"]
    detail: str
    path: str | None = None


Resolution: TypeAlias = Resolved | Unresolved


def agent_key_path(agent: str, chain: KeyChain = KeyChain.ETHEREUM) -> str:
    """Return the path of an agent's own key of a chain; EVM networks share one."""
    return f"agents/{agent}/chains/{chain}/private_key"


def network_key_path(network: str) -> str:
    """Return the path of the key that a network's intents use by default."""
    return f"keys/{network}-signer"


def is_own(agent: str, path: str) -> bool:
    """Tell whether a path is an agent's to use without a grant: one of its keys or its chains'."""
    return path.startswith((f"agents/{agent}/keys/", f"agents/{agent}/chains/"))


def may_use(key_paths: tuple[str, ...], agent: str, path: str) -> bool:
    """Tell whether an agent may sign with the key at a path: its own, or granted by name."""
    return is_own(agent, path) or path in key_paths


def resolve(
    agent: str,
    network: str,
    signing_key_path: str | None,
    vaults: Sequence[VaultKeys],
    *,
    evm_networks: Collection[str] = (),
    granted: Collection[str] = (),
) -> Resolution:
    """Return the key that an agent's request on a network means.

    A path that is named is taken if its form allows the agent to name it, or it was granted by
    name. Else it is the agent's own key of the network's chain, or the network's. ``vaults`` are
    searched in their order; a path in two of them means neither.
    """
    if signing_key_path is not None:
        refused = _unfit(agent, signing_key_path, granted)
        return refused or _search([signing_key_path], vaults)
    chain = key_chain_of(network, evm_networks)
    if chain is None or not _NETWORK.fullmatch(network):
        return Unresolved("chain_unknown", f"no keys are made for a chain {network!a}")
    return _search([agent_key_path(agent, chain), network_key_path(network)], vaults)


def chain_at(path: str) -> KeyChain | None:
    """Return the chain whose keys alone may stand at a path; None where any may."""
    parts = path.split("/")
    match parts:
        case ["agents", _, "chains", chain, *_]:
            return KeyChain(chain) if chain in set(KeyChain) else None
        case ["keys", name] if name.endswith("-signer"):
            return key_chain_of(name.removesuffix("-signer"))
    return None


def _unfit(agent: str, path: str, granted: Collection[str]) -> Unresolved | None:
    try:
        _KEY_PATH.validate_python(path)
    except ValidationError:
        return Unresolved("path_malformed", f"{path[:256]!a} is no key path")
    if path.startswith(("keys/", "wallets/")) or is_own(agent, path) or path in granted:
        return None
    return Unresolved("path_foreign", f"{path} is not {agent}'s to name", path)


def _search(paths: Sequence[str], vaults: Sequence[VaultKeys]) -> Resolution:
    for path in paths:
        holders = [vault.name for vault in vaults if path in vault.paths]
        if len(holders) > 1:
            return Unresolved("ambiguous", f"{path} is in {' and '.join(holders)}")
        if holders:
            return Resolved(holders[0], path)
    return Unresolved("not_found", f"no key at {' or '.join(paths)}", paths[-1])
