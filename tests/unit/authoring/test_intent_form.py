from decimal import Decimal, localcontext
from typing import Any

import pytest
from eth_utils.address import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from schemas.fields import UINT256_MAX
from sixgate.authoring.intent_form import IntentFormError, TransactionForm, read_form
from tests.harness.builders.directories import ADDRESS

RIGHT: dict[str, Any] = {"agent": "payroll", "chain": "base", "to": ADDRESS, "value": "0.5"}


def form(**changes: Any) -> TransactionForm:
    read = read_form({name: v for name, v in (RIGHT | changes).items() if v is not ...})
    assert isinstance(read, TransactionForm)
    return read


def problems(**changes: Any) -> dict[str, str]:
    with pytest.raises(IntentFormError) as caught:
        form(**changes)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()
    return dict(caught.value.problems)


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("agent", "Payroll", "must be a name"),
        ("agent", "p\u0430yroll", "character 2 is U+0430, CYRILLIC SMALL LETTER A"),
        ("agent", 7, "must be a name"),
        ("agent", None, "must be a name"),
        ("agent", ..., "is missing"),
        ("chain", "Base", "must be a chain's name"),
        ("chain", "b\u0430se", "U+0430"),
        ("chain", 0, "must be a positive chain id"),
        ("chain", -1, "must be a positive chain id"),
        ("chain", True, "must be a positive chain id"),
        ("chain", 1.0, "must be a chain's name"),
        ("to", ADDRESS[:-1], "length"),
        ("to", ADDRESS[:-1] + "D", "character 42 breaks the EIP-55 checksum"),
        ("to", ADDRESS.replace("A", "\u0410"), "is U+0410"),
        ("to", "vitalik.eth", "must begin the prefix 0x"),
        ("to", 5, "must be an address in quotes"),
        ("to", ..., "is missing: name the recipient"),
        ("to", None, "there is no data to create it from"),
        ("value", 0.5, "is a float, which is not exact"),
        ("value", 1, "decimal in quotes"),
        ("value", True, "decimal in quotes"),
        ("value", "-0.5", "not a plain decimal"),
        ("value", "1e3", "not a plain decimal"),
        ("value", "0.0000000000000000001", "not a plain decimal"),
        ("value", "\u0661", "not a plain decimal"),
        ("value", ..., "is missing: without value and data"),
        ("value_wei", "1", "contradicts value"),
        ("data", "0xa", "whole bytes in hex"),
        ("data", "a9059cbb", "whole bytes in hex"),
        ("data", "0x" + "00" * (128 * 1024 + 1), "at most 128 KiB"),
        ("tx_type", 5, "must be 0, 1, 2, 3 or 4"),
        ("tx_type", "2", "without quotes"),
        ("tx_type", True, "must be 0, 1, 2, 3 or 4"),
        ("gas_limit", 0, "whole number without quotes, 1"),
        ("gas_limit", "21000", "whole number without quotes"),
        ("gas_limit", 21000.0, "whole number without quotes"),
        ("gas_limit", True, "whole number without quotes"),
        ("gas_limit", 2**53, "2^53 - 1"),
        ("max_fee_gwei", 3, "decimal in quotes"),
        ("max_fee_gwei", "0.0000000001", "finer than a wei"),
        ("max_priority_fee_gwei", "-1", "not a plain decimal"),
        ("nonce", -1, "whole number"),
        ("simulate_first", "true", "must be true or false"),
        ("simulate_first", 1, "must be true or false"),
        ("key_path", "keys/../root", "must be a path"),
        ("key_path", "keys/base%2Fsigner", "must be a path"),
        ("idempotency_key", "two words", "no space"),
        ("idempotency_key", "", "1 to 128"),
        ("expires_in_s", 0, "whole seconds"),
        ("expires_in_s", 86_401, "24 hours"),
        ("expires_in_s", True, "whole seconds"),
        ("expires_at_ms", -1, "whole number"),
        ("expires_at_ms", 1_790_000_600_000_000, "milliseconds"),
        ("label", "a\x1b[2Jb", "printable"),
        ("label", "x" * 65, "printable"),
        ("expect", "declined", "the code of a reason"),
    ],
)
def test_a_wrong_field_is_named_with_the_reason(field: str, value: Any, why: str) -> None:
    assert why in problems(**{field: value})[field]


def test_all_wrong_fields_are_reported_together() -> None:
    assert set(problems(value=0.5, gas_limit="1", chain="BASE")) == {"value", "gas_limit", "chain"}


def test_an_unknown_field_is_refused_with_a_suggestion() -> None:
    assert problems(gass_limit=1)["'gass_limit'"].endswith("did you mean gas_limit?")


def test_a_field_name_with_a_lookalike_letter_is_escaped() -> None:
    with pytest.raises(IntentFormError, match="did you mean value") as caught:
        read_form(RIGHT | {"valu\u0435": "1"})
    assert caught.value.problems[0][0] == "'valu\\u0435'"


def test_two_expiries_contradict_each_other() -> None:
    assert "expires_in_s" in problems(expires_in_s=5, expires_at_ms=5)["expires_at_ms"]


@pytest.mark.parametrize("line", [[], "text", 5, None, True])
def test_a_line_that_is_not_an_object_is_refused(line: object) -> None:
    with pytest.raises(IntentFormError, match=r"line: .*JSON object"):
        read_form(line)


@pytest.mark.parametrize("wei", [UINT256_MAX + 1, -1, 1.0, "1.0", "+1", " 1", True, "0x1", "01"])
def test_wei_that_is_not_an_unsigned_integer_is_refused(wei: Any) -> None:
    assert "value_wei" in problems(value=..., value_wei=wei)


@given(st.integers(min_value=0, max_value=UINT256_MAX))
def test_eth_and_wei_give_the_same_amount(wei: int) -> None:
    with localcontext() as context:
        context.prec = 90
        eth = format(Decimal(wei).scaleb(-18), "f")
    in_eth = form(value=eth)
    assert in_eth.amount_wei == form(value=..., value_wei=str(wei)).amount_wei == wei
    assert form(value=..., value_wei=wei).amount_wei == wei


@given(st.integers(min_value=0, max_value=10**24))
def test_gwei_are_exact(wei: int) -> None:
    gwei = format(Decimal(wei).scaleb(-9), "f")
    assert form(max_fee_gwei=gwei).max_fee_gwei == wei


@given(st.binary(min_size=20, max_size=20))
def test_lower_case_and_checksummed_addresses_are_equal(raw: bytes) -> None:
    lower = "0x" + raw.hex()
    assert form(to=lower).to == form(to=to_checksum_address(lower)).to == lower


@given(st.binary(min_size=20, max_size=20), st.integers(min_value=2, max_value=41))
def test_one_letter_in_the_wrong_case_breaks_a_checksum(raw: bytes, place: int) -> None:
    right = to_checksum_address("0x" + raw.hex())
    wrong = right[:place] + right[place].swapcase() + right[place + 1 :]
    if wrong == right or wrong[2:] in (wrong[2:].lower(), wrong[2:].upper()):
        return
    assert "checksum" in problems(to=wrong)["to"]


ANYTHING = st.integers() | st.text() | st.none() | st.booleans() | st.floats() | st.lists(st.text())


@given(st.dictionaries(st.sampled_from([*TransactionForm.model_fields, "x"]), ANYTHING))
def test_any_object_parses_or_raises_an_intent_form_error(members: dict[str, Any]) -> None:
    wrong = False
    try:
        read_form(RIGHT | members)
    except IntentFormError:
        wrong = True
    assert wrong or "x" not in members


ENTRY = {"chain_id": 8453, "address": ADDRESS.lower(), "nonce": 0, "y_parity": 1}


def authorizations(r: object, s: object) -> TransactionForm:
    return form(tx_type=4, authorization_list=[ENTRY | {"r": r, "s": s}])


@pytest.mark.parametrize("number", [0, 1, 0xAB, UINT256_MAX])
def test_signature_scalars_are_parsed_in_decimal_and_hex(number: int) -> None:
    for spelt in (str(number), hex(number), f"0x{number:064X}"):
        (entry,) = authorizations(spelt, "0x1").authorization_list or ()
        assert (entry.r, entry.s) == (number, 1)


@pytest.mark.parametrize("wrong", ["0x", "0xg1", "ab", "0X1", "0x" + "0" * 65, " 0x1", "-0x1", 1.0])
def test_invalid_signature_scalars_are_refused_with_their_position(wrong: object) -> None:
    why = problems(tx_type=4, authorization_list=[ENTRY | {"r": "1", "s": wrong}])
    assert why["authorization_list"].startswith("[0].s: ")


@pytest.mark.parametrize("entry", [None, 7, "text", [], {}])
def test_an_invalid_authorization_is_refused(entry: object) -> None:
    why = problems(tx_type=4, authorization_list=[entry])
    assert why["authorization_list"].startswith("[0]")


@pytest.mark.usefixtures("usual_recursion_limit")
@pytest.mark.parametrize(
    ("field", "why"),
    [
        ("access_list", "nested too deeply"),
        ("authorization_list", "nested too deeply"),
        ("client_share", "must be the object"),
    ],
)
def test_a_value_that_is_nested_too_deeply_is_refused(field: str, why: str) -> None:
    deep: list[Any] = []
    for _ in range(2_000):
        deep = [deep]
    assert why in problems(**{field: deep})[field]
