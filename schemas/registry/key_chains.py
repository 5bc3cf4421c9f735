"""The chains of keys and their curves.

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
