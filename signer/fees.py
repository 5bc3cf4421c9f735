"""Who says what a transaction may cost: the intent, else a simulation, else the chain."""

from dataclasses import dataclass

from schemas.intent import Intent
from schemas.outcome import FeeSource
from schemas.registry import ChainSet, Fees
from schemas.simulation import SimulationReport


@dataclass(frozen=True, slots=True)
class ResolvedFees:
    """Gas limit and fees of a transaction, and where each came from."""

    gas_limit: int
    max_fee_per_gas_wei: int
    max_priority_fee_per_gas_wei: int
    gas_from: FeeSource
    fees_from: FeeSource

    @property
    def wei_max(self) -> int:
        """Return the most the transaction can cost beside its value."""
        return self.gas_limit * self.max_fee_per_gas_wei


def resolve(
    intent: Intent, simulation: SimulationReport | None, chain: ChainSet | None
) -> ResolvedFees | None:
    """Return gas and fees, or None where nobody says them.

    A chain's default gas is for a plain transfer; a call needs its own or a simulated one.
    """
    defaults = chain.default_fees if chain else None
    gas = _gas(intent, simulation, defaults)
    fees = _fees(intent, simulation, defaults)
    if gas is None or fees is None:
        return None
    return ResolvedFees(gas[0], fees[0], fees[1], gas[1], fees[2])


def _gas(
    intent: Intent, simulation: SimulationReport | None, defaults: Fees | None
) -> tuple[int, FeeSource] | None:
    if intent.gas_limit is not None:
        return intent.gas_limit, "intent"
    if simulation and simulation.gas_limit is not None:
        return simulation.gas_limit, "simulation"
    if defaults and intent.to is not None and intent.data == "0x":
        return defaults.gas_limit, "chain-defaults"
    return None


def _fees(
    intent: Intent, simulation: SimulationReport | None, defaults: Fees | None
) -> tuple[int, int, FeeSource] | None:
    if intent.max_fee_per_gas_wei is not None:
        tip = intent.max_priority_fee_per_gas_wei
        if tip is None:
            tip = defaults.max_priority_fee_per_gas_wei if defaults else 0
            tip = min(tip, intent.max_fee_per_gas_wei)
        return intent.max_fee_per_gas_wei, tip, "intent"
    if intent.max_priority_fee_per_gas_wei is not None:
        return None
    if simulated := _known(simulation):
        return *simulated, "simulation"
    if registered := _known(defaults):
        return *registered, "chain-defaults"
    return None


def _known(source: SimulationReport | Fees | None) -> tuple[int, int] | None:
    if source is None or source.max_fee_per_gas_wei is None:
        return None
    return source.max_fee_per_gas_wei, source.max_priority_fee_per_gas_wei or 0
