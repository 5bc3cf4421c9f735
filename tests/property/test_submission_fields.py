"""Amounts in requests: plain decimals of ETH are read exactly; for others a sentence says why."""

from contextlib import suppress
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sixgate.api.models import submission_fields as fields

UINT256_MAX = 2**256 - 1
ETH_EVER_MAX = 10**9
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
DIGITS = st.text("0123456789", min_size=1, max_size=30)
NUMBERS = st.builds("{}{}{}".format, DIGITS, st.sampled_from(["", "."]), DIGITS | st.just(""))
LOOKALIKES = st.text("0123456789.-+eE_, \n\u0660\u0661\uff11\u00b2", max_size=30)


def is_plain(text: str) -> bool:
    """Whether a text is a plain decimal with at most 18 decimals, by Python's own rules."""
    whole, point, fraction = text.partition(".")
    return (
        whole.isascii()
        and whole.isdigit()
        and (whole == "0" or whole[0] != "0")
        and (not point or (fraction.isascii() and fraction.isdigit() and len(fraction) <= 18))
    )


@given(NUMBERS | LOOKALIKES)
@example("1000000000")
@example("1000000000.0")
@example("999999999")
@example("0.000000000000000001")
def test_a_value_is_read_exactly_or_refused(text: str) -> None:
    with localcontext() as context:
        context.prec = 200
        wei = Decimal(text) * 10**18 if is_plain(text) else None
    meant_wei = "." not in text and wei is not None and wei >= ETH_EVER_MAX * 10**18
    if wei is None or wei > UINT256_MAX or meant_wei:
        hint = "not in wei" if meant_wei and len(text) <= 78 else "."
        with pytest.raises(ValueError, match=hint):
            fields.value(text)
    else:
        assert fields.value(text) == wei


@given(JSON.filter(lambda given: not isinstance(given, str)))
def test_a_value_that_is_no_string_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match="decimal ETH in a string"):
        fields.value(given)


@given(JSON | st.integers(-5, 2**260) | st.integers(0, 2**260).map(str))
def test_wei_are_whole_and_below_the_limit(given: Any) -> None:
    as_text = str(given) if isinstance(given, int) and not isinstance(given, bool) else given
    valid = (
        isinstance(as_text, str)
        and as_text.isascii()
        and as_text.isdigit()
        and str(int(as_text)) == as_text
        and int(as_text) <= UINT256_MAX
    )
    if valid:
        assert fields.amount_wei(given) == int(given)
    else:
        with pytest.raises(ValueError, match="must be whole wei"):
            fields.amount_wei(given)


@given(JSON)
def test_every_parser_returns_or_raises_a_value_error(given: Any) -> None:
    for parse in (
        fields.data,
        fields.flag,
        fields.text,
        fields.typed_data,
        fields.access_list,
        fields.authorization_list,
        fields.blob_versioned_hashes,
        fields.signs_only,
        fields.optional(fields.amount_wei),
    ):
        with suppress(ValueError):
            parse(given)
