"""Requests and replies of simulations."""

from pydantic import Field

from sixgate.api.models.base import Reply, Request
from sixgate.api.models.submissions import TransactionRequest
from sixgate.api.models.transactions import SimulationStatus

BUNDLE_MAX = 10


class BundleRequest(Request):
    """Transactions to simulate in order: each one sees what the earlier ones changed."""

    transactions: list[TransactionRequest] = Field(min_length=1, max_length=BUNDLE_MAX)


class BalanceChangeReply(Reply):
    """How the balance of an address changes, without the fee for gas.

    ``token`` is the chain's own symbol, with amounts in decimal units, or a token's address, with
    amounts in the token's smallest units; ``decimals`` says how many decimals were applied.
    ``before`` and ``after`` are null if the token does not state its balances.
    """

    address: str
    token: str
    before: str | None
    after: str | None
    change: str
    decimals: int


class SimulationReply(Reply):
    """What one transaction would do now; nothing is signed and no limit is charged.

    ``status`` is ``success``, ``reverted`` (it ran and reverted) or ``failed`` (it ran out of gas,
    or no block could include it); ``reason`` and ``detail`` say why. ``error`` repeats ``detail``,
    and ``revert_reason`` does if the transaction reverted. ``gas_limit`` is 25 % above
    the least gas that works: submit with it. It is null unless the transaction succeeds.
    """

    simulation_id: str
    status: SimulationStatus
    chain: str
    chain_id: int
    from_: str = Field(alias="from")
    to: str | None
    gas_used: int
    gas_limit: int | None
    block_number: int
    balance_changes: list[BalanceChangeReply]
    created_address: str | None
    reason: str | None
    detail: str | None
    error: str | None
    revert_reason: str | None
    tenderly_dashboard_url: None = None


class BundleReply(Reply):
    """The simulations of a bundle; ``status`` is that of the first one that is no success."""

    bundle_id: str
    status: SimulationStatus
    simulations: list[SimulationReply]
