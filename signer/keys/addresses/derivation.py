"""Derives the address of a public key on each chain; main networks only."""

import hashlib
from collections.abc import Callable, Mapping

from coincurve import PublicKey

from schemas.registry.key_chains import KeyChain
from signer.core.errors import AddressError
from signer.core.ethereum import address as ethereum_address
from signer.keys.addresses import base58, bech32
from signer.keys.addresses.ripemd160 import ripemd160

ED25519_BYTES = 32
_UNCOMPRESSED_POINT_BYTES = 65
_UNCOMPRESSED_POINT_TAG = 0x04
_XRP_ED25519 = b"\xed"  # distinguishes an Ed25519 key from a compressed secp256k1 key
_XRP_ACCOUNT = b"\x00"
_TRON_ACCOUNT = b"\x41"
_SEGWIT_VERSION = 0
_CARDANO_ENTERPRISE_MAINNET = b"\x61"  # CIP-19: type 6 (payment key, no stake part), network 1
_BLAKE2B_224_BYTES = 28


def derive(chain: KeyChain, public_key: bytes) -> str:
    """Return the address of a public key.

    A secp256k1 key is compressed or uncompressed (SEC 1), an Ed25519 key has 32 bytes (RFC 8032).
    Raises ``ValueError`` for anything else, and for a point that is not on secp256k1.
    """
    return _DERIVATIONS[chain](public_key)


def canonical_address(chain: KeyChain, address: str) -> str:
    """Return an address as stored in records: Ethereum's in lower case, others unchanged."""
    return address.lower() if chain is KeyChain.ETHEREUM else address


def display_address(chain: KeyChain, address: str) -> str:
    """Return a stored address for display: Ethereum's with its EIP-55 checksum."""
    if chain is KeyChain.ETHEREUM:
        return ethereum_address.checksum_address(bytes.fromhex(address[2:]))
    return address


def _ethereum(public_key: bytes) -> str:
    """Write the last 20 bytes of the point's Keccak-256 with their checksum (EIP-55)."""
    return ethereum_address.checksum_address(_keccak_tail(public_key))


def _bitcoin(public_key: bytes) -> str:
    """Write HASH160 of the compressed key as a version 0 witness program (BIP-141, BIP-173)."""
    program = _hash160(PublicKey(public_key).format(compressed=True))
    return bech32.encode("bc", [_SEGWIT_VERSION, *bech32.words_of(program)])


def _solana(public_key: bytes) -> str:
    """Write the key itself, in base58."""
    return base58.encode(_ed25519(public_key))


def _xrp(public_key: bytes) -> str:
    """Write HASH160 of the key behind 0xED as an account (XRPL, "Address Encoding")."""
    account = _hash160(_XRP_ED25519 + _ed25519(public_key))
    return base58.encode_check(_XRP_ACCOUNT + account, base58.XRP)


def _cardano(public_key: bytes) -> str:
    """Write BLAKE2b-224 of the payment key as an enterprise address (CIP-19)."""
    payment = hashlib.blake2b(_ed25519(public_key), digest_size=_BLAKE2B_224_BYTES).digest()
    return bech32.encode("addr", bech32.words_of(_CARDANO_ENTERPRISE_MAINNET + payment))


def _tron(public_key: bytes) -> str:
    """Write Ethereum's 20 bytes behind 0x41 (TRON, "Account address format")."""
    return base58.encode_check(_TRON_ACCOUNT + _keccak_tail(public_key))


def address_of(public_key_uncompressed: bytes) -> bytes:
    """Return the 20-byte address of a secp256k1 public key of 65 bytes (0x04, X, Y).

    Raises AddressError for another form or a point off the curve, because no key can sign for the
    address of such a point. Source: Ethereum Yellow Paper, appendix F.
    """
    if (
        len(public_key_uncompressed) != _UNCOMPRESSED_POINT_BYTES
        or public_key_uncompressed[0] != _UNCOMPRESSED_POINT_TAG
    ):
        raise AddressError("public_key", "must be 65 bytes that begin with 0x04.")
    try:
        PublicKey(public_key_uncompressed)
    except ValueError as error:
        raise AddressError("public_key", "is not a point of secp256k1.") from error
    return ethereum_address.address_of_point(public_key_uncompressed)


def _keccak_tail(public_key: bytes) -> bytes:
    return address_of(PublicKey(public_key).format(compressed=False))


def _hash160(content: bytes) -> bytes:
    return ripemd160(hashlib.sha256(content).digest())


def _ed25519(public_key: bytes) -> bytes:
    if len(public_key) != ED25519_BYTES:
        raise ValueError(f"An Ed25519 key is {ED25519_BYTES} bytes, not {len(public_key)}.")
    return public_key


_DERIVATIONS: Mapping[KeyChain, Callable[[bytes], str]] = {
    KeyChain.ETHEREUM: _ethereum,
    KeyChain.BITCOIN: _bitcoin,
    KeyChain.SOLANA: _solana,
    KeyChain.XRP: _xrp,
    KeyChain.CARDANO: _cardano,
    KeyChain.TRON: _tron,
}
