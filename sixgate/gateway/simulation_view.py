"""Simulations of intents: what the simulator is asked, and how the HTTP API shows it. Pure."""

from typing import NamedTuple

from schemas.intents.intent import TransactionIntent
from schemas.intents.money import ETH_DECIMALS, wei_to_eth
from schemas.intents.reasons import Reason
from schemas.registry.access import Grant
from schemas.registry.records import AgentSet, ChainSet
from signer.core.access import may_sign
from signer.core.ethereum.address import checksum_address
from signer.core.key_ref import KeyRef
from sixgate.api.models.simulations import BalanceChangeReply, SimulationReply
from sixgate.api.models.transactions import SimulationStatus
from streams.simulators.report import with_margin
from streams.simulators.simulation import (
    NATIVE,
    BalanceChange,
    Call,
    Simulation,
    Status,
)

_STATUS: dict[Status, SimulationStatus] = {
    Status.SUCCEEDED: "success",
    Status.REVERTED: "reverted",
    Status.FAILED: "failed",
}


class KeyRefusal(NamedTuple):
    """Why the signer would refuse a key."""

    reason: Reason
    detail: str


def usable_key(
    agent: AgentSet, grants: tuple[Grant, ...], key: KeyRef | None, path: str
) -> KeyRef | KeyRefusal:
    """Return the key if the agent may use it, as the signer would decide.

    Otherwise an agent could learn the addresses of keys that it may not use.
    """
    if key is None:
        return KeyRefusal(Reason.KEY_UNKNOWN, f"No key is provisioned at {path}.")
    if not may_sign(agent, grants, key.vault, path):
        detail = f"Agent {agent.agent} has no grant for the key at {path}."
        return KeyRefusal(Reason.KEY_NOT_GRANTED, detail)
    if not key.active:
        return KeyRefusal(Reason.KEY_INACTIVE, f"The key at {path} is {key.state}.")
    if not key.signs:
        detail = f"The key at {path} is of {key.chain}, not of an EVM chain."
        return KeyRefusal(Reason.KEY_CHAIN_WRONG, detail)
    return key


def call_of(intent: TransactionIntent, sender: str, earlier: tuple[Call, ...] = ()) -> Call:
    """Return the simulator's call for an intent.

    Of the earlier calls, those on the same chain run before it on the same state.
    """
    return Call(
        account=intent.account,
        chain_id=intent.chain_id,
        sender=sender,
        to=intent.to,
        value_wei=intent.value_wei,
        data=bytes.fromhex(intent.data[2:]),
        gas_limit=intent.gas_limit,
        max_fee_per_gas_wei=intent.max_fee_per_gas_wei or intent.gas_price_wei or 0,
        after=tuple(
            call.model_copy(update={"after": (), "with_balances": False})
            for call in earlier
            if call.chain_id == intent.chain_id
        ),
        with_balances=True,
    )


def simulation_view(
    simulation: Simulation, call: Call, chain: ChainSet, simulation_id: str
) -> SimulationReply:
    """Return the reply about one simulation."""
    status, detail = _STATUS[simulation.status], simulation.detail or None
    return SimulationReply(
        simulation_id=simulation_id,
        status=status,
        chain=chain.name,
        chain_id=chain.chain_id,
        from_=_shown(call.sender),
        to=None if call.to is None else _shown(call.to),
        gas_used=simulation.gas_used,
        gas_limit=with_margin(simulation.gas_limit),
        block_number=simulation.block_number,
        balance_changes=[_change(one, chain.symbol) for one in simulation.balance_changes],
        created_address=None if simulation.created is None else _shown(simulation.created),
        reason=simulation.reason.value if simulation.reason else None,
        detail=detail,
        error=detail,
        revert_reason=detail if status == "reverted" else None,
    )


def bundle_status(replies: list[SimulationReply]) -> SimulationStatus:
    """Return the status of the first simulation that is no success."""
    return next((reply.status for reply in replies if reply.status != "success"), "success")


def _change(change: BalanceChange, symbol: str) -> BalanceChangeReply:
    native = change.asset == NATIVE
    before, delta = change.before_base_units, change.delta_base_units
    # A dishonest token may state less than it takes away.
    after = None if before is None else max(0, before + delta)
    return BalanceChangeReply(
        address=_shown(change.address),
        token=symbol if native else _shown(change.asset),
        before=None if before is None else _amount(before, native=native),
        after=None if after is None else _amount(after, native=native),
        change=("-" if delta < 0 else "+") + _amount(abs(delta), native=native),
        decimals=ETH_DECIMALS if native else 0,
    )


def _amount(units: int, *, native: bool) -> str:
    return wei_to_eth(units) if native else str(units)


def _shown(address: str) -> str:
    return checksum_address(bytes.fromhex(address[2:]))
