"""Requests to sign transactions, messages and typed data, and their replies."""

from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field

from sixgate.api.models import submission_fields as typed
from sixgate.api.models.base import Reply, Request

IntentType = Literal["personal_sign", "typed_data", "transaction"]
MessageEncoding = Literal["utf8", "hex"]
UNSUPPORTED = MappingProxyType(
    dict.fromkeys(
        (
            "approval_id",
            "destination_tag",
            "fee_limit_sun",
            "fee_rate_sat_per_vbyte",
            "gasless",
            "hash",
            "memo",
            "raw_transaction",
            "token_decimals",
            "token_mint",
            "treasury_id",
            "tron_transaction",
            "ttl",
            "xrpl_tx_json",
        )
    )
    | {"mode": "eoa"}
)


class TransactionRequest(Request):
    """A transaction to sign on one EVM chain.

    ``chain`` is a name, an alias or a chain id. ``value`` is decimal ETH in a string, fees are
    whole wei. ``to`` null creates a contract from ``data``. Without ``signing_key_path`` the
    agent's own key signs, or else ``keys/{chain}-signer``. ``client_share`` is a share sealed with
    ``sixgate keys seal-share``; the header ``X-Client-Share`` takes one that is not sealed.
    """

    unsupported = UNSUPPORTED
    chain: typed.Chain
    to: typed.Recipient
    value: typed.Eth = Field(default="0", validate_default=True)
    data: typed.CallData = "0x"
    signing_key_path: typed.Path = None
    simulate_first: typed.Flag = False
    nonce: typed.Nonce = None
    gas_limit: typed.Gas = None
    gas_price: typed.Wei = None
    max_fee_per_gas: typed.Wei = None
    max_priority_fee_per_gas: typed.Wei = None
    tx_type: typed.Type = None
    access_list: typed.Accesses = None
    max_fee_per_blob_gas: typed.Wei = None
    blob_versioned_hashes: typed.BlobHashes = None
    authorization_list: typed.Authorizations = None
    client_share: typed.Share = None

    def contradictions(self) -> dict[str, str]:
        """Return fields that are valid alone but not together, and why."""
        if self.to is None and self.data == "0x":
            return {"to": "is null, which creates a contract, but there is no data to create it of"}
        return {}


class SignRequest(TransactionRequest):
    """A message, typed data or a transaction to sign; ``intent_type`` says which.

    ``message`` is text, unless it is hex with 0x and whole bytes: then these bytes are signed.
    ``message_encoding`` decides it explicitly. A transaction has the members of the transaction
    routes.
    """

    intent_type: IntentType
    to: typed.Recipient = None
    message: typed.Message = None
    message_encoding: MessageEncoding | None = None
    typed_data: typed.TypedData = None
    sign_only: typed.SignOnly = True

    def contradictions(self) -> dict[str, str]:
        """Return members that are missing for the kind or belong to another one, and why."""
        own = _MEMBERS[self.intent_type]
        others = _EVERY_MEMBER - own - {"intent_type"}
        wrong = {
            name: f"is not a member of {self.intent_type}"
            for name in sorted(others)
            if getattr(self, name) != _DEFAULTS[name]
        }
        if needed := _NEEDED[self.intent_type] - self.model_fields_set:
            wrong |= dict.fromkeys(sorted(needed), "is missing")
        elif self.intent_type == "transaction":
            wrong |= super().contradictions()
        elif getattr(self, self.intent_type.replace("personal_sign", "message")) is None:
            wrong |= dict.fromkeys(_NEEDED[self.intent_type], "is missing")
        return wrong


_OF_EVERY_KIND = frozenset({"chain", "signing_key_path", "client_share"})
_MEMBERS: dict[IntentType, frozenset[str]] = {
    "personal_sign": _OF_EVERY_KIND | {"message", "message_encoding", "sign_only"},
    "typed_data": _OF_EVERY_KIND | {"typed_data", "sign_only"},
    "transaction": frozenset(TransactionRequest.model_fields) | {"sign_only"},
}
_EVERY_MEMBER = frozenset(SignRequest.model_fields)
_NEEDED: dict[IntentType, frozenset[str]] = {
    "personal_sign": frozenset({"message"}),
    "typed_data": frozenset({"typed_data"}),
    "transaction": frozenset({"to"}),
}
_DEFAULTS: dict[str, Any] = {
    name: 0 if name == "value" else field.default
    for name, field in SignRequest.model_fields.items()
}


class PendingReply(Reply):
    """The pipeline has not decided yet: read the transaction with this id later."""

    id: str
    status: Literal["pending"] = "pending"


class _SignatureReply(Reply):
    id: str
    status: Literal["signed"] = "signed"
    chain: str
    chain_id: int
    signature: str
    from_: str = Field(alias="from")
    from_address: str
    created_at: str


class MessageReply(_SignatureReply):
    """A signed message. ``message_encoding`` says whether its text or the bytes were signed."""

    intent_type: Literal["personal_sign"] = "personal_sign"
    message_hash: str
    message_encoding: MessageEncoding


class TypedDataReply(_SignatureReply):
    """Signed typed data."""

    intent_type: Literal["typed_data"] = "typed_data"
    typed_data_hash: str
    primary_type: str | None
    verifying_contract: str | None
