import pytest

from schemas.intents.money import WEI_PER_ETH, eth_to_wei, wei_to_eth
from sixgate.authoring.form_fields import gwei_to_wei, wei_to_gwei

UINT256_ETH = "115792089237316195423570985008687907853269984665640564039457.584007913129639935"


@pytest.mark.parametrize(
    ("eth", "wei"),
    [
        ("0", 0),
        ("1", 10**18),
        ("0.5", 5 * 10**17),
        ("0.05", 5 * 10**16),
        ("0.000000000000000001", 1),
        ("1.000000000000000001", 10**18 + 1),
        ("0.10", 10**17),  # exact, though not the shortest spelling
        ("9007199254740993", 9_007_199_254_740_993 * 10**18),
        (UINT256_ETH, 2**256 - 1),
    ],
)
def test_an_amount_converts_exactly(eth: str, wei: int) -> None:
    assert eth_to_wei(eth) == wei


@pytest.mark.parametrize(
    "eth",
    [
        *("", " ", ".", ".5", "5.", "00", "01", "00.1", "1..0", "1.2.3", "1,5", "1_000", "1'000"),
        *("+1", "-1", "-0", "--1", "1e3", "1E3", "1e-3", "0x1", "1/2", "1 ETH", "ETH"),
        *(" 1", "1 ", "1\n", "\t1", "1\x00", "\ufeff1", "nan", "inf", "Infinity", "unlimited"),
        *("\u0661", "\uff11", "1.\uff15", "\u00b2", "\u00bd", "\u2167", "\u22121"),
        "0.0000000000000000001",  # a tenth of a wei
        "1." + "0" * 19,
        "115792089237316195423570985008687907853269984665640564039457.584007913129639936",
        "9" * 61,
        "9" * 10_000,
        "0." + "0" * 10_000,
    ],
)
def test_an_ambiguous_amount_is_rejected(eth: str) -> None:
    with pytest.raises(ValueError, match=r"decimal amount|2\^256"):
        eth_to_wei(eth)


def test_wei_are_written_in_the_shortest_form() -> None:
    assert wei_to_eth(0) == "0"
    assert wei_to_eth(1) == "0.000000000000000001"
    assert wei_to_eth(10**17) == "0.1"
    assert wei_to_eth(10 * WEI_PER_ETH) == "10"
    assert wei_to_eth(2**256 - 1) == UINT256_ETH


@pytest.mark.parametrize(("gwei", "wei"), [("0", 0), ("1.5", 1_500_000_000), ("0.000000001", 1)])
def test_gwei_convert_exactly_and_back(gwei: str, wei: int) -> None:
    assert (gwei_to_wei(gwei), wei_to_gwei(wei)) == (wei, gwei)


def test_gwei_below_one_wei_are_rejected() -> None:
    with pytest.raises(ValueError, match="finer than a wei"):
        gwei_to_wei("0.0000000001")
