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


@pytest.mark.parametrize("name", ["value", "gas_price", "max_fee_per_gas", "chain", "to", "data"])
@pytest.mark.parametrize("value", [True, 0.1, 1.0, 8453, 0])
def test_only_text_is_text(name: str, value: object) -> None:
    with pytest.raises(ValidationError, match=name):
        SignedTransactionArguments.model_validate(PAY | {name: value})


@pytest.mark.parametrize("value", ["no", "false", "true", 0, 1, 0.0, None])
def test_only_true_and_false_say_whether_to_simulate(value: object) -> None:
    with pytest.raises(ValidationError, match="simulate_first"):
        SignedTransactionArguments.model_validate(PAY | {"simulate_first": value})


@pytest.mark.usefixtures("usual_recursion_limit")
@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, "9" * 5_000, "{", '{"a":1,"a":2}']
)
def test_text_that_is_no_object_is_no_typed_data(text: str) -> None:
    with pytest.raises(ValidationError, match="typed_data"):
        TypedDataArguments.model_validate({"typed_data": text})
