"""Hand-written intents: decimal ETH, chain names, checksummed addresses, relative expiry.

{"agent": "payroll", "chain": "base", "to": "0x…", "value": "0.5"}
{"agent": "payroll", "chain": "base", "kind": "personal_sign", "message": "hello"}
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, PlainValidator, ValidationError

from schemas.canonical import validation_message
from schemas.intents.intent import EXPIRY_MS_DEFAULT
from schemas.intents.intent_parts import AccessList, ClientShare, SignedAuthorization
from sixgate.authoring import form_fields as read
from sixgate.authoring.form_fields import SIGNED, did_you_mean


class IntentFormError(ValueError):
    """An invalid intent; ``problems`` pairs each wrong field with the reason."""

    def __init__(self, problems: Iterable[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{field}: {why}" for field, why in self.problems))


class IntentForm(BaseModel):
    """Fields common to all kinds, before names and relative times are resolved.

    ``label`` and ``expect`` are for the submitter; they are not part of the intent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    MISSING: ClassVar[Mapping[str, str]] = {}

    agent: Annotated[str, PlainValidator(read.name)]
    chain: Annotated[str | int, PlainValidator(read.chain)]
    kind: str
    mode: Literal["sign_only", "submit"] = "sign_only"
    key_path: Annotated[str | None, PlainValidator(read.key_path)] = None
    idempotency_key: Annotated[str | None, PlainValidator(read.idempotency_key)] = None
    client_share: Annotated[ClientShare | None, PlainValidator(read.client_share)] = None
    expires_in_s: Annotated[int, PlainValidator(read.seconds)] = EXPIRY_MS_DEFAULT // 1000
    expires_at_ms: Annotated[int | None, PlainValidator(read.expiry)] = None
    label: Annotated[str | None, PlainValidator(read.label)] = None
    expect: Annotated[str, PlainValidator(read.ending)] = SIGNED

    def contradictions(self) -> Iterator[tuple[str, str]]:
        """Yield fields that are valid alone but contradict another one, and why."""
        if self.expires_at_ms is not None and "expires_in_s" in self.model_fields_set:
            yield "expires_at_ms", "contradicts expires_in_s: give only one of the two"


class TransactionForm(IntentForm):
    """A transaction; parsed amounts are in wei."""

    MISSING = {"to": "is missing: name the recipient, or null to create a contract"}

    kind: Literal["transaction"] = "transaction"
    to: Annotated[str | None, PlainValidator(read.recipient)]
    value: Annotated[int | None, PlainValidator(read.eth)] = None
    value_wei: Annotated[int | None, PlainValidator(read.wei)] = None
    data: Annotated[str, PlainValidator(read.data)] = "0x"
    tx_type: Annotated[int | None, PlainValidator(read.tx_type)] = None
    gas_limit: Annotated[int | None, PlainValidator(read.gas)] = None
    gas_price_gwei: Annotated[int | None, PlainValidator(read.gwei)] = None
    max_fee_gwei: Annotated[int | None, PlainValidator(read.gwei)] = None
    max_priority_fee_gwei: Annotated[int | None, PlainValidator(read.gwei)] = None
    access_list: Annotated[AccessList | None, PlainValidator(read.access_list)] = None
    max_blob_fee_gwei: Annotated[int | None, PlainValidator(read.gwei)] = None
    blob_versioned_hashes: Annotated[
        tuple[str, ...] | None, PlainValidator(read.blob_versioned_hashes)
    ] = None
    authorization_list: Annotated[
        tuple[SignedAuthorization, ...] | None, PlainValidator(read.authorization_list)
    ] = None
    nonce: Annotated[int | None, PlainValidator(read.count)] = None
    simulate_first: Annotated[bool, PlainValidator(read.flag)] = False

    @property
    def amount_wei(self) -> int:
        """The value in wei, from ``value`` or ``value_wei``."""
        return self.value or self.value_wei or 0

    def contradictions(self) -> Iterator[tuple[str, str]]:
        """Yield contradictions between fields."""
        empty = self.data == "0x" and not self.authorization_list
        if self.value is not None and self.value_wei is not None:
            yield "value_wei", "contradicts value: give only one of the two"
        if self.value is None and self.value_wei is None and empty:
            yield "value", "is missing: without value and data the transaction would do nothing"
        if self.to is None and self.data == "0x":
            yield "to", "is null, which creates a contract, but there is no data to create it from"
        yield from super().contradictions()


class MessageForm(IntentForm):
    """A personal message, as text or as bytes."""

    kind: Literal["personal_sign"]
    message: Annotated[str | None, PlainValidator(read.text_message)] = None
    message_hex: Annotated[str | None, PlainValidator(read.data)] = None

    def contradictions(self) -> Iterator[tuple[str, str]]:
        """Yield contradictions between fields."""
        if (self.message is None) == (self.message_hex is None):
            yield "message", "or message_hex is required: give exactly one of the two"
        yield from super().contradictions()


class TypedDataForm(IntentForm):
    """Typed data as wallets take it: an object."""

    kind: Literal["typed_data"]
    typed_data: Annotated[str, PlainValidator(read.typed_data)]


class AuthorizationForm(IntentForm):
    """A delegation of the key's address to a contract (EIP-7702); chain 0 means every chain."""

    kind: Literal["authorization"]
    chain: Annotated[str | int, PlainValidator(read.chain_or_every)]
    delegate: Annotated[str, PlainValidator(read.address)]
    nonce: Annotated[int | None, PlainValidator(read.count)] = None


AnyForm: TypeAlias = TransactionForm | MessageForm | TypedDataForm | AuthorizationForm
FORMS: Final[dict[str, type[AnyForm]]] = {
    "transaction": TransactionForm,
    "personal_sign": MessageForm,
    "typed_data": TypedDataForm,
    "authorization": AuthorizationForm,
}


def read_form(members: Any) -> AnyForm:
    """Check a parsed JSON object; raise ``IntentFormError`` with every field that is wrong."""
    if not isinstance(members, dict):
        raise IntentFormError([("line", "must be one JSON object in braces")])
    kind = members.get("kind", "transaction")
    form_type = FORMS.get(kind) if isinstance(kind, str) else None
    if form_type is None:
        raise IntentFormError([("kind", f"must be one of {', '.join(FORMS)}")])
    form = _validated(form_type, members)
    if contradictions := list(form.contradictions()):
        raise IntentFormError(contradictions)
    return form


def _validated(form_type: type[AnyForm], members: dict[str, Any]) -> AnyForm:
    try:
        return form_type.model_validate(members)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise IntentFormError([_problem(form_type, dict(problem)) for problem in found]) from None


def _problem(form_type: type[AnyForm], problem: dict[str, Any]) -> tuple[str, str]:
    field = str(problem["loc"][0])
    match problem["type"]:
        case "missing" if field in form_type.MISSING:
            return field, form_type.MISSING[field]
        case "extra_forbidden":
            suggestion = did_you_mean(field, form_type.model_fields)
            return ascii(field), f"is not a field of an intent{suggestion}"
    return field, validation_message(problem)
