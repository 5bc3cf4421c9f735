import pytest
from coincurve import PrivateKey

from schemas.keys.curves import CURVES, Curve
from schemas.registry.key_chains import KeyChain
from schemas.registry.networks import key_chain_of
from signer.keys.addresses.derivation import canonical_address, derive, display_address

POINT = PrivateKey(b"\x01" * 32).public_key
SECP256K1 = [chain for chain in KeyChain if CURVES[chain] is Curve.SECP256K1]
ED25519 = [chain for chain in KeyChain if CURVES[chain] is Curve.ED25519]
BEGINNINGS = {
    KeyChain.ETHEREUM: "0x",
    KeyChain.BITCOIN: "bc1q",
    KeyChain.XRP: "r",
    KeyChain.CARDANO: "addr1v",
    KeyChain.TRON: "T",
}


@pytest.mark.parametrize("chain", SECP256K1)
def test_a_point_has_one_address_however_it_is_written(chain: KeyChain) -> None:
    assert derive(chain, POINT.format(compressed=True)) == derive(
        chain, POINT.format(compressed=False)
    )


@pytest.mark.parametrize("chain", SECP256K1)
@pytest.mark.parametrize(
    "key",
    [b"", b"\x02" + b"\xff" * 32, b"\x04" + b"\x11" * 64, POINT.format()[:-1], b"\x05" * 33],
    ids=["empty", "beyond the field", "off the curve", "short", "of no known form"],
)
def test_an_invalid_point_has_no_address(chain: KeyChain, key: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        derive(chain, key)


@pytest.mark.parametrize("chain", ED25519)
@pytest.mark.parametrize("size_bytes", [0, 31, 33, 65])
def test_an_ed25519_key_of_another_length_has_no_address(chain: KeyChain, size_bytes: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        derive(chain, bytes(size_bytes))


@pytest.mark.parametrize("chain", KeyChain)
def test_no_key_of_one_curve_has_an_address_on_a_chain_of_the_other(chain: KeyChain) -> None:
    foreign = b"\x01" * 32 if CURVES[chain] is Curve.SECP256K1 else POINT.format()
    with pytest.raises(ValueError, match=r"."):
        derive(chain, foreign)


@pytest.mark.parametrize(("chain", "beginning"), BEGINNINGS.items())
def test_an_address_tells_its_chain(chain: KeyChain, beginning: str) -> None:
    key = POINT.format() if chain in SECP256K1 else b"\x07" * 32
    assert derive(chain, key).startswith(beginning)


def test_an_ethereum_address_is_recorded_in_lower_case_and_shown_with_its_checksum() -> None:
    address = derive(KeyChain.ETHEREUM, POINT.format())
    assert canonical_address(KeyChain.ETHEREUM, address) == address.lower() != address
    assert display_address(KeyChain.ETHEREUM, address.lower()) == address


@pytest.mark.parametrize("chain", [chain for chain in KeyChain if chain is not KeyChain.ETHEREUM])
def test_every_other_address_is_recorded_as_it_is(chain: KeyChain) -> None:
    key = POINT.format() if chain in SECP256K1 else b"\x07" * 32
    address = derive(chain, key)
    assert canonical_address(chain, address) == display_address(chain, address) == address


@pytest.mark.parametrize(
    ("network", "chain"),
    [
        ("sepolia", KeyChain.ETHEREUM),
        ("base", KeyChain.ETHEREUM),
        ("solana", KeyChain.SOLANA),
        ("xrpl", KeyChain.XRP),
        ("Solana", None),
        ("", None),
        ("anvil", None),
    ],
)
def test_a_network_takes_the_keys_of_its_chain(network: str, chain: KeyChain | None) -> None:
    assert key_chain_of(network) is chain


def test_whatever_is_registered_with_a_chain_id_is_an_evm_network() -> None:
    assert key_chain_of("anvil", {"anvil"}) is KeyChain.ETHEREUM
    assert key_chain_of("tron", {"tron"}) is KeyChain.ETHEREUM
