"""Replies about transactions: one transaction, a list, simulations."""

from typing import Literal

from pydantic import Field

from sixgate.api.models.base import Reply

TransactionStatus = Literal["pending", "signed", "sign_only", "refused", "simulation_failed"]
SimulationStatus = Literal["success", "reverted", "failed"]


class TransactionReply(Reply):
    """One transaction, or one signed message, of an agent.

    ``status`` is ``pending`` until the pipeline decides, then ``signed``, ``sign_only`` (signed by
    a route that never broadcasts), ``refused`` or ``simulation_failed``. ``tx_hash`` and ``from``
    are null unless the transaction is signed. For a refusal, ``reason`` is the stable code,
    ``gate`` the rule, and ``detail`` a sentence with the numbers; ``error_message`` repeats it.
    Reads leave out ``signed_tx`` and ``signature`` unless the query has ``include_signed_tx=true``.
    If a request is repeated after the log has lost the signed bytes, both are null and ``detail``
    says so.
    """

    id: str
    tx_hash: str | None = None
    chain: str
    chain_id: int
    status: TransactionStatus
    broadcast: Literal[False] = False
    agent_id: str
    from_: str | None = Field(default=None, alias="from")
    to: str | None = None
    from_address: str | None = None
    to_address: str | None = None
    value_wei: str | None = None
    value: str | None = None
    data_hex: str | None = None
    nonce: int | None = None
    gas_limit: int | None = None
    gas_price: str | None = None
    max_fee_per_gas: str | None = None
    max_priority_fee_per_gas: str | None = None
    max_fee_per_blob_gas: str | None = None
    tx_type: int | None = None
    intent_type: str
    signing_key_path: str | None = None
    created_at: str
    simulation_id: str | None = None
    simulation_status: SimulationStatus | None = None
    gate: str | None = None
    reason: str | None = None
    detail: str | None = None
    error_message: str | None = None
    message_hash: str | None = None
    signature: str | None = None
    signed_tx: str | None = None


class TransactionList(Reply):
    """An agent's transactions, newest first; ``next_cursor`` is null at the end."""

    transactions: list[TransactionReply]
    next_cursor: str | None
