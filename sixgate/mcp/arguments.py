"""Arguments of the MCP tools; their JSON schemas are what a model reads."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from schemas.strict_json import JsonError, read_json

KEY_PATH = "Vault path of the signing key; by default the agent's own key of the chain."


def _object(value: object) -> object:
    """Parse an object that was sent as its JSON text, as some clients do."""
    try:
        return read_json(value) if isinstance(value, str) else value
    except JsonError as error:
        raise ValueError(str(error)) from None


class Arguments(BaseModel):
    """No arguments."""

    # An unknown argument is refused, so that a misspelled one is not ignored; so is a value of
    # another JSON type: 0.1 is not exact, and "no" is not false.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    def given(self) -> dict[str, Any]:
        """Return the arguments that have a value."""
        return self.model_dump(exclude_none=True)


class TransactionArguments(Arguments):
    """A transaction to simulate."""

    chain: str = Field(description='Chain name, such as "base", or its chain id.')
    to: str = Field(description="Recipient or contract address, 0x and 40 hex digits.")
    value: str = Field(description='Amount in ETH as decimal text, such as "0.5"; "0" for none.')
    data: str | None = Field(None, description="Call data in hex, 0x if empty.")
    signing_key_path: str | None = Field(None, description=KEY_PATH)
    nonce: int | None = Field(None, description="By default the next free one.")
    gas_limit: int | None = None
    gas_price: str | None = Field(None, description="Wei; makes a legacy transaction.")
    max_fee_per_gas: str | None = Field(None, description="Wei (EIP-1559).")
    max_priority_fee_per_gas: str | None = Field(None, description="Wei (EIP-1559).")


class SignedTransactionArguments(TransactionArguments):
    """A transaction to submit or sign."""

    simulate_first: bool = Field(
        default=True, description="Refuse to sign if the transaction reverts in simulation."
    )
    idempotency_key: str | None = Field(
        None,
        description="Repeat a call with its key to get its result instead of a second "
        "transaction. By default each call has a new key.",
    )


class ListArguments(Arguments):
    """Whether the transactions include their signed bytes."""

    include_signed_tx: bool = Field(default=False, description="Include the signed bytes.")


class GetArguments(ListArguments):
    """The transaction to show."""

    transaction_id: str


class ChainArguments(Arguments):
    """The chain of a new key."""

    chain: str = Field(description="ethereum, bitcoin, solana, xrp, cardano or tron.")


class MessageArguments(Arguments):
    """A message to sign."""

    message: str = Field(description="The text to sign; 0x and hex digits are bytes.")
    chain: str = "ethereum"


class TypedDataArguments(Arguments):
    """Typed data to sign."""

    typed_data: Annotated[dict[str, Any], BeforeValidator(_object)] = Field(
        description="Object with types, primaryType, domain and message (EIP-712)."
    )
    chain: str = "ethereum"
