"""Arguments of the MCP tools: a value of another JSON type is refused and not converted."""

import pytest
from pydantic import ValidationError

from sixgate.mcp.arguments import SignedTransactionArguments, TypedDataArguments

PAY = {"chain": "base", "to": "0x" + "11" * 20, "value": "0.5"}


@pytest.mark.parametrize("name", ["nonce", "gas_limit"])
@pytest.mark.parametrize("value", [True, False, 1.0, "1"])
def test_only_an_integer_is_an_integer(name: str, value: object) -> None:
    with pytest.raises(ValidationError, match=name):
        SignedTransactionArguments.model_validate(PAY | {name: value})


@pytest.mark.parametrize("name", ["value", "gas_price", "max_fee_per_gas"])
def test_true_is_no_amount(name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        SignedTransactionArguments.model_validate(PAY | {name: True})


@pytest.mark.usefixtures("usual_recursion_limit")
@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "9" * 5_000, "{"])
def test_text_that_is_no_object_is_no_typed_data(text: str) -> None:
    with pytest.raises(ValidationError, match="typed_data"):
        TypedDataArguments.model_validate({"typed_data": text})
