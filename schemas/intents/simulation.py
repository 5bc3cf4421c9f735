"""Simulation reports: a simulator's signed result for one intent."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.canonical import Canonical
from schemas.fields import (
    Address,
    ChainId,
    Count,
    Digest,
    Gas,
    Name,
    PendingNonce,
    Text,
    TimeMs,
    Uint256,
)

Status = Literal["succeeded", "reverted", "failed", "timeout", "no_simulator"]


class BalanceChange(Canonical):
    """How one asset of one address changes; ``asset`` is ``native`` or a token's address."""

    address: Address
    asset: Literal["native"] | Address
    delta: Annotated[str, Field(pattern="^-?[1-9][0-9]{0,77}$")]


class SimulationReport(Canonical):
    """The result of simulating an intent, in an envelope that the simulator signs.

    Fees are present only if the simulator knows the chain's fee market; a local genesis has none.
    """

    v: Literal[1] = 1
    type: Literal["simulation.report"] = "simulation.report"
    simulator: Name
    intent: Digest
    chain_id: ChainId
    status: Status
    simulated_at_ms: TimeMs
    expires_at_ms: TimeMs
    block_number: Count | None = None
    gas_used: Count | None = None
    gas_limit: Gas | None = None
    max_fee_per_gas_wei: Uint256 | None = None
    max_priority_fee_per_gas_wei: Uint256 | None = None
    pending_nonce: PendingNonce | None = None
    revert_reason: Text | None = None
    balance_changes: tuple[BalanceChange, ...] = Field(default=(), max_length=256)
