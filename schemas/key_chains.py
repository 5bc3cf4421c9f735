"""The chains that keys are made for, and the networks that share a chain's keys.

A key's chain decides its curve and its address. All EVM networks take the same keys, so they are
one chain here: ``ethereum``.
"""

from collections.abc import Collection
from enum import StrEnum


class KeyChain(StrEnum):
    """A chain that has keys and addresses of its own; the name stands in key paths and records."""

    ETHEREUM = "ethereum"
    BITCOIN = "bitcoin"
    SOLANA = "solana"
    XRP = "xrp"
    CARDANO = "cardano"
    TRON = "tron"


class Curve(StrEnum):
    """What a private key is a key of."""

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
SIGNING = frozenset({KeyChain.ETHEREUM})
"""The chains whose keys sign; a key of another one holds an address, and that is all."""

# Networks that no registry lists: not EVM ones, and Ethereum's that are known under these names
# everywhere. What an organisation registers as a chain has a chain id and is an EVM network.
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
    """Return whose keys a network takes; None for a network that nobody knows.

    ``evm_networks`` are the names and aliases of registered chains. They go first: a registered
    chain is an EVM network whatever it is called.
    """
    return KeyChain.ETHEREUM if network in evm_networks else NETWORKS.get(network)
