"""Addresses of every chain, against published vectors and two libraries."""

import hashlib
from collections.abc import Callable
from typing import Any

import base58
import bech32 as reference_bech32
import bip_utils
import pytest
from coincurve import PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from eth_keys.datatypes import PublicKey as EthPublicKey
from nacl.encoding import RawEncoder
from nacl.hash import blake2b
from solders.pubkey import Pubkey
from xrpl.core.keypairs import derive_classic_address
from xrpl.core.keypairs.helpers import get_account_id

from schemas.keys.curves import CURVES, Curve
from schemas.registry.key_chains import KeyChain
from signer.keys.addresses import bech32
from signer.keys.addresses.derivation import derive
from tests.harness.builders.vectors import load_vectors, report_cases

KEYS = 64
ADDRESSES = "addresses/published.json"


def public_keys(curve: Curve, count: int = KEYS) -> list[bytes]:
    """Return public keys in the form of the signer: an uncompressed point, or 32 bytes."""
    seeds = [hashlib.sha256(b"address %d" % number).digest() for number in range(count)]
    if curve is Curve.SECP256K1:
        return [PrivateKey(seed).public_key.format(compressed=False) for seed in seeds]
    keys = [Ed25519PrivateKey.from_private_bytes(seed) for seed in seeds]
    return [key.public_key().public_bytes_raw() for key in keys]


def ethereum_of_eth_keys(key: bytes) -> str:
    return EthPublicKey(key[1:]).to_checksum_address()


def bitcoin_of_bech32(key: bytes) -> str:
    program = get_account_id(_compressed(key))  # XRP's HASH160 is Bitcoin's
    return str(reference_bech32.encode("bc", 0, list(program)))


def solana_of_solders(key: bytes) -> str:
    return str(Pubkey.from_bytes(key))


def xrp_of_xrpl(key: bytes) -> str:
    return derive_classic_address("ED" + key.hex().upper())


def xrp_of_base58(key: bytes) -> str:
    account = bip_utils.Hash160.QuickDigest(b"\xed" + key)
    return base58.b58encode_check(b"\x00" + account, alphabet=base58.RIPPLE_ALPHABET).decode()


def cardano_of_bip_utils(key: bytes) -> str:
    """Remove the stake part of a base address; bip_utils makes no enterprise addresses."""
    base = bip_utils.AdaShelleyAddrEncoder.EncodeKey(key, pub_skey=key)
    payment = bip_utils.AdaShelleyAddrDecoder.DecodeAddr(base)[:28]
    return str(bip_utils.Bech32Encoder.Encode("addr", b"\x61" + payment))


def cardano_of_libsodium_and_bech32(key: bytes) -> str:
    payment = b"\x61" + blake2b(key, digest_size=28, encoder=RawEncoder)
    words = reference_bech32.convertbits(list(payment), 8, 5) or []
    return str(reference_bech32.bech32_encode("addr", words))


def tron_of_base58(key: bytes) -> str:
    account = bytes.fromhex(ethereum_of_eth_keys(key)[2:])
    return base58.b58encode_check(b"\x41" + account).decode()


def _compressed(key: bytes) -> bytes:
    return bytes((2 + key[64] % 2,)) + key[1:33]


def _bip_utils(encoder: Any, **terms: Any) -> Callable[[bytes], str]:
    return lambda key: str(encoder.EncodeKey(key if len(key) == 32 else _compressed(key), **terms))


ORACLES: dict[KeyChain, tuple[Callable[[bytes], str], ...]] = {
    KeyChain.ETHEREUM: (ethereum_of_eth_keys, _bip_utils(bip_utils.EthAddrEncoder)),
    KeyChain.BITCOIN: (bitcoin_of_bech32, _bip_utils(bip_utils.P2WPKHAddrEncoder, hrp="bc")),
    KeyChain.SOLANA: (solana_of_solders, _bip_utils(bip_utils.SolAddrEncoder)),
    KeyChain.XRP: (xrp_of_xrpl, xrp_of_base58),
    KeyChain.CARDANO: (cardano_of_bip_utils, cardano_of_libsodium_and_bech32),
    KeyChain.TRON: (tron_of_base58, _bip_utils(bip_utils.TrxAddrEncoder)),
}


@pytest.mark.parametrize("chain", KeyChain)
def test_two_libraries_derive_the_same_address(
    chain: KeyChain, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = public_keys(CURVES[chain])
    for key in keys:
        assert {oracle(key) for oracle in ORACLES[chain]} == {derive(chain, key)}
    report_cases(capsys, f"{chain}: {len(keys)} addresses agree with {len(ORACLES[chain])} others")


@pytest.mark.parametrize(
    ("chain", "payload"),
    [(KeyChain.SOLANA, bytes), (KeyChain.XRP, lambda key: get_account_id(b"\xed" + key))],
)
def test_every_leading_zero_byte_is_one_digit(
    chain: KeyChain, payload: Callable[[bytes], bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    keys = [key for key in public_keys(CURVES[chain], 4096) if payload(key)[0] == 0]
    for key in keys:
        assert {oracle(key) for oracle in ORACLES[chain]} == {derive(chain, key)}
    assert len(keys) > 4
    report_cases(capsys, f"{chain}: {len(keys)} addresses with leading zeros agree")


def test_published_addresses(capsys: pytest.CaptureFixture[str]) -> None:
    published = load_vectors(ADDRESSES)
    cases = [
        (KeyChain.BITCOIN, row["pubkey"], row["mainnet"]) for row in published["bitcoin_p2wpkh"]
    ]
    cases += [
        (KeyChain.XRP, row["public_key"].removeprefix("ED"), row["address"])
        for row in published["xrp"]
        if row["curve"] == "ed25519"
    ]
    cases += [
        (KeyChain.CARDANO, row["payment_vkey"], row["mainnet_type06"])
        for row in published["cardano_enterprise"]
    ]
    for chain, key, address in cases:
        assert derive(chain, bytes.fromhex(key)) == address
    assert len(cases) == 6
    report_cases(capsys, f"published addresses: {len(cases)} agree")


def test_addresses_of_ethers_accounts(capsys: pytest.CaptureFixture[str]) -> None:
    accounts = load_vectors("ethers-v6/accounts.json.gz")
    for account in accounts:
        key = PrivateKey(bytes.fromhex(account["privateKey"][2:])).public_key.format()
        assert derive(KeyChain.ETHEREUM, key) == account["address"]
    assert len(accounts) > 100
    report_cases(capsys, f"ethers v6: {len(accounts)} addresses agree")


def test_the_published_strings_of_bip_173(capsys: pytest.CaptureFixture[str]) -> None:
    letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    strings = load_vectors(ADDRESSES)["bech32_valid"]["strings"]
    for text in strings:
        prefix, _, content = text.lower().rpartition("1")
        words = [letters.index(letter) for letter in content[:-6]]
        assert bech32.encode(prefix, words) == text.lower()
    report_cases(capsys, f"BIP-173: {len(strings)} strings encode to themselves")
