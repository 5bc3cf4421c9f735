"""An intent as people write it: ETH decimals, chain names, checksummed addresses, relative expiry.

{"agent": "payroll", "chain": "base", "to": "0x…", "value": "0.5"}
"""

import unicodedata
from collections.abc import Callable, Iterable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, TypeAdapter, ValidationError

from schemas import fields
from schemas.intent import EXPIRY_MS_DEFAULT, EXPIRY_MS_MAX
from schemas.money import eth_to_wei, gwei_to_wei
from schemas.reasons import Reason
from signer.ethereum.address import parse_address
from signer.ethereum.errors import AddressError
from sixgate.suggestion import did_you_mean

EXPIRY_S_MAX = EXPIRY_MS_MAX // 1000
LABEL_LENGTH_MAX = 64
SIGNED = "signed"


class IntentWrong(ValueError):  # noqa: N818 - says what the input is
    """An intent that cannot be sent; ``problems`` pairs each field with what is wrong with it."""

    def __init__(self, problems: Iterable[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{field}: {why}" for field, why in self.problems))


def _matching(kind: Any, expected: str) -> Callable[[Any], Any]:
    adapter: TypeAdapter[Any] = TypeAdapter(kind)

    def check(value: Any) -> Any:
        try:
            return adapter.validate_python(value, strict=True)
        except ValidationError:
            raise ValueError(expected + _foreign(value)) from None

    return check


def _foreign(value: Any) -> str:
    """Name the first character that is not ASCII: it may look like one that is."""
    for position, character in enumerate(value if isinstance(value, str) else "", start=1):
        if not character.isascii():
            name = unicodedata.name(character, "a character without a name")
            return f"; character {position} is U+{ord(character):04X}, {name}"
    return ""


check_name = _matching(fields.Name, "must be a name: lower-case letters, digits, '.', '_' and '-'")
_chain_name = _matching(fields.Name, 'must be a chain\'s name such as "base", or its chain id')
_chain_id = _matching(fields.ChainId, "must be a positive chain id")
_count = _matching(fields.Count, "must be a whole number without quotes, 0 to 2^53 - 1")
_expiry = _matching(
    fields.ExpiryMs, "must be a whole number without quotes: milliseconds since 1970, up to 2100"
)
_gas = _matching(fields.Gas, "must be a whole number without quotes, 1 to 2^53 - 1")
_uint256 = _matching(fields.Uint256, "must be an unsigned integer below 2^256")
_hex = _matching(fields.Data, "must be whole bytes in hex with 0x, at most 128 KiB")
check_key_path = _matching(fields.KeyPath, "must be a path such as keys/base-signer, in lower case")
_key = _matching(fields.IdempotencyKey, "must be 1 to 128 printable ASCII characters, no space")
_flag = _matching(bool, "must be true or false, without quotes")
_seconds = _matching(
    Annotated[int, Field(ge=1, le=EXPIRY_S_MAX)],
    f"must be whole seconds without quotes, 1 to {EXPIRY_S_MAX} (24 hours)",
)


def _eth(value: Any) -> int:
    return _converted(eth_to_wei, value)


def _gwei(value: Any) -> int:
    return _converted(gwei_to_wei, value)


def _converted(to_wei: Callable[[str], int], value: Any) -> int:
    try:
        return to_wei(_quoted(value))
    except ValueError as error:
        raise ValueError(f"is {error}") from None


def _quoted(value: Any) -> str:
    match value:
        case str():
            return value
        case float():
            raise ValueError('a float, which is not exact; put it in quotes, such as "0.5"')
    raise ValueError('no decimal in quotes, such as "0.5"')


def _wei(value: Any) -> Any:
    match value:
        case bool() | float():
            raise ValueError('must be an integer, such as "500000000000000000"')
        case int():
            return _uint256(str(value))
    return _uint256(value)


def _recipient(value: Any) -> str | None:
    match value:
        case None:
            return None
        case str():
            return _address(value)
    raise ValueError("must be an address in quotes, or null to create a contract")


def _address(text: str) -> str:
    try:
        return f"0x{parse_address(text).hex()}"
    except AddressError as error:
        raise ValueError(str(error).removesuffix(".")) from None


def _data(value: Any) -> Any:
    return _hex(value.lower() if isinstance(value, str) and value.isascii() else value)


def _chain(value: Any) -> Any:
    return _chain_id(value) if isinstance(value, int) else _chain_name(value)


def _ending(value: Any) -> str:
    if value == SIGNED or value in list(Reason):
        return str(value)
    raise ValueError(f'must be "{SIGNED}" or the code of a reason, such as "value_too_high"')


def _label(value: Any) -> str:
    if isinstance(value, str) and value.isprintable() and 0 < len(value) <= LABEL_LENGTH_MAX:
        return value
    raise ValueError(f"must be 1 to {LABEL_LENGTH_MAX} printable characters")


class IntentForm(BaseModel):
    """One intent before names and relative times are resolved; amounts are in wei already.

    ``label`` and ``expect`` are for whoever submits it; they are not part of the intent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    agent: Annotated[str, PlainValidator(check_name)]
    chain: Annotated[str | int, PlainValidator(_chain)]
    to: Annotated[str | None, PlainValidator(_recipient)]
    value: Annotated[int | None, PlainValidator(_eth)] = None
    value_wei: Annotated[int | None, PlainValidator(_wei)] = None
    data: Annotated[str, PlainValidator(_data)] = "0x"
    gas_limit: Annotated[int | None, PlainValidator(_gas)] = None
    max_fee_gwei: Annotated[int | None, PlainValidator(_gwei)] = None
    max_priority_fee_gwei: Annotated[int | None, PlainValidator(_gwei)] = None
    nonce: Annotated[int | None, PlainValidator(_count)] = None
    simulate_first: Annotated[bool, PlainValidator(_flag)] = False
    key_path: Annotated[str | None, PlainValidator(check_key_path)] = None
    idempotency_key: Annotated[str | None, PlainValidator(_key)] = None
    expires_in_s: Annotated[int, PlainValidator(_seconds)] = EXPIRY_MS_DEFAULT // 1000
    expires_at_ms: Annotated[int | None, PlainValidator(_expiry)] = None
    label: Annotated[str | None, PlainValidator(_label)] = None
    expect: Annotated[str, PlainValidator(_ending)] = SIGNED

    @property
    def amount_wei(self) -> int:
        """Return the value, whichever unit it was written in."""
        return self.value or self.value_wei or 0


def read_form(members: Any) -> IntentForm:
    """Check a parsed JSON object; raise ``IntentWrong`` with every field that is wrong."""
    if not isinstance(members, dict):
        raise IntentWrong([("line", "must be one JSON object in braces")])
    try:
        form = IntentForm.model_validate(members)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise IntentWrong([_problem(dict(problem)) for problem in found]) from None
    if contradictions := list(_contradictions(form)):
        raise IntentWrong(contradictions)
    return form


def _problem(problem: dict[str, Any]) -> tuple[str, str]:
    field = str(problem["loc"][0])
    match problem["type"]:
        case "missing" if field == "to":
            return field, "is missing: name the recipient, or null to create a contract"
        case "missing":
            return field, "is missing"
        case "extra_forbidden":
            meant = did_you_mean(field, IntentForm.model_fields)
            return ascii(field), f"is no field of an intent{meant}"
    return field, str(problem["msg"]).removeprefix("Value error, ")


def _contradictions(form: IntentForm) -> Iterable[tuple[str, str]]:
    if form.value is not None and form.value_wei is not None:
        yield "value_wei", "is there beside value: say one of the two"
    if form.value is None and form.value_wei is None and form.data == "0x":
        yield "value", "is missing: without value and data the transaction would do nothing"
    if form.to is None and form.data == "0x":
        yield "to", "is null, which creates a contract, but there is no data to create it from"
    if form.expires_at_ms is not None and "expires_in_s" in form.model_fields_set:
        yield "expires_at_ms", "is there beside expires_in_s: say one of the two"
