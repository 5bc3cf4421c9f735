import pytest
from eth_utils.address import is_checksum_address, to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from signer.core.errors import AddressError
from signer.core.ethereum.address import checksum_address, parse_address
from signer.keys.addresses.derivation import address_of

VITALIK = "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045"
EIP55_EXAMPLES = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]


@pytest.mark.parametrize("text", EIP55_EXAMPLES)
def test_eip55_examples_parse_and_format_to_the_same_text(text: str) -> None:
    assert checksum_address(parse_address(text)) == text


@pytest.mark.parametrize("text", [VITALIK.lower(), "0x" + VITALIK[2:].upper()])
def test_addresses_in_one_case_are_accepted_without_a_checksum(text: str) -> None:
    assert parse_address(text) == parse_address(VITALIK)


@given(st.binary(min_size=20, max_size=20))
def test_checksum_agrees_with_eth_utils(address: bytes) -> None:
    text = checksum_address(address)
    assert text == to_checksum_address(address)
    assert parse_address(text) == address


@given(st.binary(min_size=20, max_size=20), st.integers(2, 41))
def test_a_letter_of_the_wrong_case_is_located(address: bytes, index: int) -> None:
    right = checksum_address(address)
    wrong = right[:index] + right[index].swapcase() + right[index + 1 :]
    digits = wrong[2:]
    if wrong == right or digits in (digits.lower(), digits.upper()):
        assert parse_address(wrong) == address
        return
    assert not is_checksum_address(wrong)
    with pytest.raises(AddressError) as refusal:
        parse_address(wrong)
    assert refusal.value.location == f"character {index + 1}"


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("", "character 1"),
        ("0x", "length"),
        (VITALIK[2:], "character 1"),
        ("0X" + VITALIK[2:], "character 1"),
        (" " + VITALIK, "character 1"),
        (VITALIK + "\n", "character 43"),
        (VITALIK + " ", "character 43"),
        (VITALIK[:-1], "length"),
        (VITALIK + "0", "length"),
        ("0x" + "1" * 64, "length"),
        ("0x" + "1_" * 20, "character 4"),
        ("0x" + "1 " * 20, "character 4"),
        (VITALIK.replace("a", "\u0430"), "character 15"),  # Cyrillic a
        (VITALIK[:24] + "O" + VITALIK[25:], "character 25"),  # letter O for zero
        ("0x" + "\uff11" * 40, "character 3"),  # full-width digit one
        ("0x" + "\u0661" * 40, "character 3"),  # Arabic-Indic digit one
        (VITALIK[:5] + "\u200b" + VITALIK[5:], "character 6"),  # zero-width space
        ("0x" + "\ud800" * 40, "character 3"),  # lone surrogate
        ("vitalik.eth", "character 1"),
    ],
)
def test_a_malformed_address_is_rejected_with_the_position(text: str, location: str) -> None:
    with pytest.raises(AddressError) as refusal:
        parse_address(text)
    assert refusal.value.location == location
    assert str(refusal.value).isascii()


@pytest.mark.parametrize("length", [0, 19, 21, 32])
def test_an_address_of_the_wrong_length_is_not_formatted(length: int) -> None:
    with pytest.raises(AddressError):
        checksum_address(bytes(length))


# The generator point of secp256k1 (SEC 2), so the public key of the private key 1.
GENERATOR = bytes.fromhex(
    "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
)


def test_the_generator_has_its_known_address() -> None:
    assert checksum_address(address_of(GENERATOR)) == "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"


@pytest.mark.parametrize(
    "public_key",
    [
        b"",
        GENERATOR[1:],
        GENERATOR + b"\x00",
        b"\x02" + GENERATOR[1:33],
        b"\x06" + GENERATOR[1:],  # the hybrid form that libsecp256k1 would read
        GENERATOR[:-1] + b"\xb9",
        b"\x04" + bytes(64),
    ],
    ids=["empty", "untagged", "long", "compressed", "hybrid", "off the curve", "zero"],
)
def test_an_invalid_public_key_has_no_address(public_key: bytes) -> None:
    with pytest.raises(AddressError) as refusal:
        address_of(public_key)
    assert refusal.value.location == "public_key"
