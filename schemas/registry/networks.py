"""Networks by name, and the chain whose keys each uses."""

from collections.abc import Collection

from schemas.registry.key_chains import KeyChain

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
