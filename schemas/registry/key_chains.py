"""The chains of keys, and the networks that use the keys of each chain.

The chain of a key determines its curve and its address. All EVM networks use the same keys, so they
are one chain here: ``ethereum``.
"""

from collections.abc import Collection
from enum import StrEnum


class KeyChain(StrEnum):
    """A chain with its own form of keys and addresses; its name is part of paths and records."""

    ETHEREUM = "ethereum"
    BITCOIN = "bitcoin"
    SOLANA = "solana"
    XRP = "xrp"
    CARDANO = "cardano"
    TRON = "tron"


class Curve(StrEnum):
    """The elliptic curve of a private key."""

    SECP256K1 = "secp256k1"
    ED25519 = "ed25519"


CURVES: dict[KeyChain, Curve] = {
    KeyChain.ETHEREUM: Curve.SECP256K1,
    KeyChain.BITCOIN: Curve.SECP256K1,
    KeyChain.SOLANA: Curve.ED25519,
    KeyChain.XRP: Curve.ED25519,
    KeyChain.CARDANO: Curve.ED25519,
    KeyChain.TRON: Curve.SECP256K1,
}
SIGNING_CHAINS = frozenset({KeyChain.ETHEREUM})
"""The chains whose keys can sign; a key of another chain only holds an address."""

# Networks that need no registration: those without EVM, and well-known EVM networks. A registered
# chain has a chain id and is always an EVM network.
NETWORKS: dict[str, KeyChain] = {
    "ethereum": KeyChain.ETHEREUM,
    "mainnet": KeyChain.ETHEREUM,
    "sepolia": KeyChain.ETHEREUM,
    "holesky": KeyChain.ETHEREUM,
    "hoodi": KeyChain.ETHEREUM,
    "base": KeyChain.ETHEREUM,
    "base-sepolia": KeyChain.ETHEREUM,
    "optimism": KeyChain.ETHEREUM,
    "arbitrum": KeyChain.ETHEREUM,
    "polygon": KeyChain.ETHEREUM,
    "bitcoin": KeyChain.BITCOIN,
    "btc": KeyChain.BITCOIN,
    "solana": KeyChain.SOLANA,
    "sol": KeyChain.SOLANA,
    "xrp": KeyChain.XRP,
    "xrpl": KeyChain.XRP,
    "ripple": KeyChain.XRP,
    "cardano": KeyChain.CARDANO,
    "ada": KeyChain.CARDANO,
    "tron": KeyChain.TRON,
    "trx": KeyChain.TRON,
}


def key_chain_of(network: str, evm_networks: Collection[str] = ()) -> KeyChain | None:
    """Return the chain whose keys a network uses, or None for an unknown network.

    ``evm_networks`` are the names and aliases of registered chains. They take precedence: a
    registered chain is an EVM network whatever its name.
    """
    return KeyChain.ETHEREUM if network in evm_networks else NETWORKS.get(network)
