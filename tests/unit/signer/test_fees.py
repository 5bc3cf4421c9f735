from typing import Any

import pytest

from schemas.registry.records import Fees
from signer.core.fees import ResolvedFees, resolve_fees
from tests.harness.builders.cases import chain, intent, report

DEFAULTS = chain(
    default_fees=Fees(gas_limit=21_000, max_fee_per_gas_wei=90, max_priority_fee_per_gas_wei=9)
)
NOTHING = {"gas_limit": None, "max_fee_per_gas_wei": None, "max_priority_fee_per_gas_wei": None}
GAS = {"gas_limit": 30_000}
FEES = {"max_fee_per_gas_wei": 70, "max_priority_fee_per_gas_wei": 7}
SIMULATED = {"gas_limit": 40_000, "max_fee_per_gas_wei": 50, "max_priority_fee_per_gas_wei": 5}
BY_CHAIN = ("chain-defaults", "chain-defaults")


@pytest.mark.parametrize(
    ("asked", "simulated", "expected"),
    [
        (GAS | FEES, SIMULATED, (30_000, 70, 7, "intent", "intent")),
        (FEES, SIMULATED, (40_000, 70, 7, "simulation", "intent")),
        (GAS, SIMULATED, (30_000, 50, 5, "intent", "simulation")),
        ({}, SIMULATED, (40_000, 50, 5, "simulation", "simulation")),
        ({}, {"gas_limit": 40_000}, (40_000, 90, 9, "simulation", "chain-defaults")),
        ({}, {"max_fee_per_gas_wei": 50}, (21_000, 50, 0, "chain-defaults", "simulation")),
        ({}, {}, (21_000, 90, 9, *BY_CHAIN)),
        ({}, None, (21_000, 90, 9, *BY_CHAIN)),
        ({"max_fee_per_gas_wei": 70}, None, (21_000, 70, 9, "chain-defaults", "intent")),
        ({"max_fee_per_gas_wei": 3}, None, (21_000, 3, 3, "chain-defaults", "intent")),
        ({"max_fee_per_gas_wei": 0}, None, (21_000, 0, 0, "chain-defaults", "intent")),
    ],
)
def test_the_intent_has_precedence_over_simulation_and_chain(
    asked: dict[str, Any], simulated: dict[str, Any] | None, expected: tuple[Any, ...]
) -> None:
    one = intent(**(NOTHING | asked))
    simulation = None if simulated is None else report(one, **simulated)
    assert resolve_fees(one, simulation, DEFAULTS) == ResolvedFees(*expected)


@pytest.mark.parametrize(
    "asked",
    [
        {"max_priority_fee_per_gas_wei": 1},  # a tip without a maximum says nothing to pay
        {"data": "0xaa"},  # default gas is for a plain transfer
        {"to": None},
        {"to": None, "data": "0xaa"},
    ],
)
def test_partial_fees_of_an_intent_resolve_to_none(asked: dict[str, Any]) -> None:
    assert resolve_fees(intent(**(NOTHING | asked)), None, DEFAULTS) is None


def test_without_a_chain_the_intent_must_set_all_fees() -> None:
    assert resolve_fees(intent(**NOTHING), None, None) is None
    assert resolve_fees(intent(**(NOTHING | GAS)), None, None) is None
    alone = resolve_fees(intent(**(NOTHING | GAS | {"max_fee_per_gas_wei": 5})), None, None)
    assert alone == ResolvedFees(30_000, 5, 0, "intent", "intent")


def test_the_maximum_cost_is_gas_times_max_fee() -> None:
    assert ResolvedFees(3, 2**255, 0, "intent", "intent").wei_max == 3 * 2**255
