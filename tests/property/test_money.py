"""Money against two other implementations of exact arithmetic."""

from decimal import Context, Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from schemas.fields import UINT256_MAX
from schemas.intents.money import eth_to_wei, wei_to_eth
from tests.harness.builders.models import uint256

EXACT = Context(prec=200)
amounts = st.from_regex(r"(0|[1-9][0-9]{0,59})(\.[0-9]{1,18})?", fullmatch=True)


@given(uint256)
def test_every_amount_survives_conversion_to_eth_and_back(wei: int) -> None:
    assert eth_to_wei(wei_to_eth(wei)) == wei


@given(amounts)
def test_conversion_agrees_with_fractions_and_decimals(eth: str) -> None:
    exact = Fraction(eth) * 10**18
    if exact > UINT256_MAX:
        assert refused(eth)
        return
    assert eth_to_wei(eth) == exact == EXACT.multiply(Decimal(eth), Decimal(10**18))


@given(uint256)
def test_the_written_amount_is_the_shortest_of_its_value(wei: int) -> None:
    eth = wei_to_eth(wei)
    assert Fraction(eth) == Fraction(wei, 10**18)
    assert "." not in eth or eth[-1] not in "0."
    plain = format(EXACT.divide(Decimal(wei), Decimal(10**18)).normalize(EXACT), "f")
    assert eth == plain


@given(st.text("0123456789.+-eE_ xXnaif,\u0661\uff11", max_size=30))
def test_every_accepted_amount_equals_its_decimal_value(eth: str) -> None:
    if not refused(eth):
        assert Fraction(eth_to_wei(eth), 10**18) == Fraction(Decimal(eth))
        assert eth.isascii()
        assert eth[0].isdigit()


def refused(eth: str) -> bool:
    try:
        eth_to_wei(eth)
    except ValueError:
        return True
    return False
