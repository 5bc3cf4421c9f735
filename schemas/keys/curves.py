"""The elliptic curves of private keys, by chain."""

from enum import StrEnum

from schemas.registry.key_chains import KeyChain


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
