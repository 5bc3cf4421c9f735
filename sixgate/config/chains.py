"""The chains that a new organisation starts with, from ``chains.json``.

``default_fees`` cover a plain transfer and stay below the default fee cap of 0.05. ``gas_limit`` is
over 21,000 on chains that charge their data fee in gas. The max fee is a ceiling: a chain takes
only what its base fee requires. Operators change all of this with ``sixgate chains``.
"""

from importlib import resources

from pydantic import TypeAdapter

from schemas.registry.records import ChainSet

_CHAINS: TypeAdapter[tuple[ChainSet, ...]] = TypeAdapter(tuple[ChainSet, ...])


def default_chains() -> tuple[ChainSet, ...]:
    """Return one registry entry per default chain, ordered by chain id."""
    raw = resources.files("sixgate.config").joinpath("chains.json").read_bytes()
    return tuple(sorted(_CHAINS.validate_json(raw), key=lambda chain: chain.chain_id))
