"""Calls to a simulator and its answers, the same for all simulators."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.fields import UINT256_MAX, Address

DATA_BYTES_MAX = 2 * 1024 * 1024
TRANSACTION_GAS_MAX = 1 << 24
"""Largest gas limit of a transaction (EIP-7825)."""

CALLS_BEFORE_MAX = 9
"""Most calls that run before another one on the same state."""

NATIVE = "native"
"""The asset name of the chain's own unit in a `BalanceChange`."""

Uint64 = Annotated[int, Field(ge=0, lt=1 << 64)]
Uint256 = Annotated[int, Field(ge=0, le=UINT256_MAX)]


class SimulatorError(Exception):
    """A simulator was set up or used wrongly; results of transactions are never exceptions."""


class WrongChainError(SimulatorError):
    """A call for one chain was given to the simulator of another."""


class _Value(BaseModel):
    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", ser_json_bytes="hex", val_json_bytes="hex"
    )


class Call(_Value):
    """One transaction to simulate.

    `account` is used for fair sharing in a pool only. `to` is None for a contract creation.
    `gas_limit` is the transaction's; None asks for one up to TRANSACTION_GAS_MAX or the block's.
    With `max_fee_per_gas_wei` the sender must also hold gas limit times fee.

    The calls of `after`, on the same chain, run before this one on the same state; one that does
    not succeed changes nothing. With `with_balances` the answer has the balances before.
    """

    account: str
    chain_id: Uint64
    sender: Address
    to: Address | None
    value_wei: Uint256 = 0
    data: Annotated[bytes, Field(max_length=DATA_BYTES_MAX)] = b""
    gas_limit: Uint64 | None = None
    max_fee_per_gas_wei: Uint256 = 0
    after: Annotated[tuple["Call", ...], Field(max_length=CALLS_BEFORE_MAX)] = ()
    with_balances: bool = False


class Status(StrEnum):
    """How a simulated transaction ended.

    `reverted`: it ran and reverted; mined, it would cost gas and change nothing.
    `failed`: it ran out of gas or into an invalid instruction, or no block could include it.
    """

    SUCCEEDED = "succeeded"
    REVERTED = "reverted"
    FAILED = "failed"


class FailureReason(StrEnum):
    """Why a simulated transaction reverted (the first four) or failed (the others)."""

    ERROR_STRING = "error_string"
    PANIC = "panic"
    CUSTOM_ERROR = "custom_error"
    NO_REASON = "no_reason"

    INSUFFICIENT_FUNDS = "insufficient_funds"
    INTRINSIC_GAS = "intrinsic_gas"
    GAS_LIMIT_ABOVE_BLOCK = "gas_limit_above_block"
    SENDER_HAS_CODE = "sender_has_code"
    TRANSACTION_INVALID = "transaction_invalid"
    OUT_OF_GAS = "out_of_gas"
    INVALID_OPCODE = "invalid_opcode"
    HALTED = "halted"


class BalanceChange(_Value):
    """Change of one address's balance of one asset: `native` or a token's address.

    `before_base_units` is None if nobody asked for it or the token does not answer.
    """

    address: Address
    asset: str
    delta_base_units: Annotated[int, Field(ge=-UINT256_MAX, le=UINT256_MAX)]
    before_base_units: Uint256 | None = None


class Simulation(_Value):
    """The result of one transaction on a temporary copy of the chain.

    `reason` and `detail` (printable ASCII, bounded) say why it did not succeed. `gas_used` is that
    of its receipt; `gas_limit` is the one to send it with, known only if it succeeded.
    `balance_changes` is sorted by address and asset, without zeros and without the fee for gas.
    `created` is the new contract's address. The block is the one in which it ran.
    """

    chain_id: Uint64
    status: Status
    reason: FailureReason | None = None
    detail: str = ""
    gas_used: Uint64
    gas_limit: Uint64 | None = None
    balance_changes: tuple[BalanceChange, ...] = ()
    created: Address | None = None
    block_number: Uint64
    block_timestamp_s: Uint64
    base_fee_wei: Uint256


class SimulationFailure(_Value):
    """No simulation result: one of three codes, and one sentence for people."""

    code: Literal["no_simulator", "simulation_timeout", "simulation_failed"]
    detail: str


class Task(_Value):
    """A call and its time limit, as a pool sends it to a worker."""

    call: Call
    timeout_ms: Annotated[int, Field(gt=0)]


class Done(_Value):
    """A worker's answer to a task; a `worn` worker must be replaced after it."""

    simulation: Simulation
    worn: bool
