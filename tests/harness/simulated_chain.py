"""Ether for addresses on the simulated chains of a running API."""

import orjson

from streams.simulators.example import example_genesis
from tests.harness.api import Api
from tests.harness.builders.simulation import ETHER

CHAINS = {"ethereum": 1, "base": 8453, "sepolia": 11155111}


def fund(api: Api, *addresses: str) -> None:
    """Start the simulated chains with 10 ether at each address."""
    api.folder.genesis.mkdir(exist_ok=True)
    balances = {address.lower(): 10 * ETHER for address in addresses}
    for name, chain_id in CHAINS.items():
        genesis = orjson.dumps(example_genesis(chain_id, balances))
        (api.folder.genesis / f"{name}.json").write_bytes(genesis)
