"""Cost of deriving an address, against the library that most scripts use."""

from collections.abc import Callable, Iterator

import bip_utils
from coincurve import PrivateKey
from xrpl.core.keypairs import derive_classic_address

from benchmarks.measure import Figure, interleaved
from schemas.keys.curves import CURVES, Curve
from schemas.registry.key_chains import KeyChain
from signer.custody import ed25519
from signer.keys.addresses.derivation import derive

SECRET = bytes(range(1, 33))
ROUNDS, CALLS = 7, 100
POINT = PrivateKey(SECRET).public_key.format(compressed=False)
COMPRESSED = PrivateKey(SECRET).public_key.format(compressed=True)
EDWARDS = ed25519.public_key(bytearray(SECRET))

PEERS: dict[KeyChain, tuple[str, Callable[[], str]]] = {
    KeyChain.ETHEREUM: ("bip_utils", lambda: bip_utils.EthAddrEncoder.EncodeKey(COMPRESSED)),
    KeyChain.BITCOIN: (
        "bip_utils",
        lambda: bip_utils.P2WPKHAddrEncoder.EncodeKey(COMPRESSED, hrp="bc"),
    ),
    KeyChain.SOLANA: ("bip_utils", lambda: bip_utils.SolAddrEncoder.EncodeKey(EDWARDS)),
    KeyChain.XRP: ("xrpl-py", lambda: derive_classic_address("ED" + EDWARDS.hex().upper())),
    KeyChain.CARDANO: (
        "bip_utils, a base address",
        lambda: bip_utils.AdaShelleyAddrEncoder.EncodeKey(EDWARDS, pub_skey=EDWARDS),
    ),
    KeyChain.TRON: ("bip_utils", lambda: bip_utils.TrxAddrEncoder.EncodeKey(COMPRESSED)),
}


def figures() -> Iterator[Figure]:
    """Yield one row per chain, in µs per address."""
    for chain, (name, peer) in PEERS.items():
        times = interleaved({"ours": _ours(chain), "peer": peer}, ROUNDS, CALLS)
        ours_us, peer_us = times["ours"], times["peer"]
        yield Figure("addresses", chain, ours_us, "µs", name, peer_us, "no bound", True)  # noqa: FBT003 - last field


def _ours(chain: KeyChain) -> Callable[[], str]:
    key = POINT if CURVES[chain] is Curve.SECP256K1 else EDWARDS
    return lambda: derive(chain, key)
