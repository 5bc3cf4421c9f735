"""Resolves gas and fees: from the intent, else a simulation, else the chain's defaults."""

from dataclasses import dataclass

from schemas.intents.intent import TransactionIntent
from schemas.intents.outcome import FeeSource
from schemas.intents.simulation import SimulationReport
from schemas.registry.records import ChainSet, Fees
from signer.core.ethereum.gas import blob_wei_max
from signer.core.ethereum.transaction import TxType
from signer.core.transactions import GAS_PRICED, type_of


@dataclass(frozen=True, slots=True)
class ResolvedFees:
    """Gas limit and fees of a transaction, and the source of each.

    ``fee_per_gas_wei`` is the gas price of types 0 and 1 and the max fee per gas of the others.
    ``blob_wei_max`` is the maximum cost of all blobs together.
    """

    gas_limit: int
    fee_per_gas_wei: int
    priority_fee_per_gas_wei: int
    gas_from: FeeSource
    fees_from: FeeSource
    blob_wei_max: int = 0

    @property
    def wei_max(self) -> int:
        """Return the maximum cost of the transaction without its value."""
        return self.gas_limit * self.fee_per_gas_wei + self.blob_wei_max


def resolve_fees(
    intent: TransactionIntent, simulation: SimulationReport | None, chain: ChainSet | None
) -> ResolvedFees | None:
    """Return gas and fees, or None if a part has no source.

    A chain's default gas applies to a plain transfer only; a call needs the intent's or a simulated
    one. Only the intent sets the blob fee.
    """
    defaults = chain.default_fees if chain else None
    gas = _gas(intent, simulation, defaults)
    fees = _fees(intent, simulation, defaults)
    blobs = _blobs_wei_max(intent)
    if gas is None or fees is None or blobs is None:
        return None
    return ResolvedFees(gas[0], fees[0], fees[1], gas[1], fees[2], blobs)


def _gas(
    intent: TransactionIntent, simulation: SimulationReport | None, defaults: Fees | None
) -> tuple[int, FeeSource] | None:
    if intent.gas_limit is not None:
        return intent.gas_limit, "intent"
    if simulation and simulation.gas_limit is not None:
        return simulation.gas_limit, "simulation"
    if defaults and _plain_transfer(intent):
        return defaults.gas_limit, "chain-defaults"
    return None


def _plain_transfer(intent: TransactionIntent) -> bool:
    more = intent.access_list or intent.authorization_list
    return intent.to is not None and intent.data == "0x" and not more


def _fees(
    intent: TransactionIntent, simulation: SimulationReport | None, defaults: Fees | None
) -> tuple[int, int, FeeSource] | None:
    if intent.gas_price_wei is not None:
        return intent.gas_price_wei, 0, "intent"
    if intent.max_fee_per_gas_wei is not None:
        return intent.max_fee_per_gas_wei, _tip(intent, defaults), "intent"
    if intent.max_priority_fee_per_gas_wei is not None:
        return None
    priced = type_of(intent) in GAS_PRICED
    if simulated := _market_fees(simulation):
        return simulated[0], 0 if priced else simulated[1], "simulation"
    if registered := _market_fees(defaults):
        return registered[0], 0 if priced else registered[1], "chain-defaults"
    return None


def _tip(intent: TransactionIntent, defaults: Fees | None) -> int:
    if intent.max_priority_fee_per_gas_wei is not None:
        return intent.max_priority_fee_per_gas_wei
    tip = defaults.max_priority_fee_per_gas_wei if defaults else 0
    return min(tip, intent.max_fee_per_gas_wei or 0)


def _blobs_wei_max(intent: TransactionIntent) -> int | None:
    if type_of(intent) != TxType.BLOB:
        return 0
    if intent.max_fee_per_blob_gas_wei is None:
        return None
    blobs = len(intent.blob_versioned_hashes or ())
    return blob_wei_max(blobs, intent.max_fee_per_blob_gas_wei)


def _market_fees(source: SimulationReport | Fees | None) -> tuple[int, int] | None:
    if source is None or source.max_fee_per_gas_wei is None:
        return None
    return source.max_fee_per_gas_wei, source.max_priority_fee_per_gas_wei or 0
