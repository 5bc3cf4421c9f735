"""Ether for an address on the simulated Base of a running API."""

import orjson

from streams.simulators.example import example_genesis
from tests.harness.api import Api
from tests.harness.builders.simulation import ETHER


def fund_on_base(api: Api, address: str) -> None:
    """Start the simulated Base with 10 ether at an address."""
    api.folder.genesis.mkdir(exist_ok=True)
    genesis = example_genesis(8453, {address.lower(): 10 * ETHER})
    (api.folder.genesis / "base.json").write_bytes(orjson.dumps(genesis))
