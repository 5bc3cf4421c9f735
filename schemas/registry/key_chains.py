"""The chains of keys.

The chain of a key determines its curve and its address. All EVM networks use the same keys, so they
are one chain here: ``ethereum``.
"""

from enum import StrEnum


class KeyChain(StrEnum):
    """A chain with its own form of keys and addresses; its name is part of paths and records."""

    ETHEREUM = "ethereum"
    BITCOIN = "bitcoin"
    SOLANA = "solana"
    XRP = "xrp"
    CARDANO = "cardano"
    TRON = "tron"


SIGNING_CHAINS = frozenset({KeyChain.ETHEREUM})
"""The chains whose keys can sign; a key of another chain only holds an address."""
