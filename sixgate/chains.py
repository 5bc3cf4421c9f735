"""The chains that a new organisation starts with, from ``chains.json``.

``default_fees`` cover a plain transfer and stay below the default fee cap of 0.05: ``gas_limit``
is over 21,000 where the chain charges its data fee in gas, and the max fee is a ceiling of which a
chain takes what its base fee asks. Operators change all of it with ``sixgate chains``.
"""

from importlib import resources

from pydantic import TypeAdapter

from schemas.registry import ChainSet

_CHAINS: TypeAdapter[tuple[ChainSet, ...]] = TypeAdapter(tuple[ChainSet, ...])


def default_chains() -> tuple[ChainSet, ...]:
    """Return the records that register every chain we know, in order of their chain id."""
    raw = resources.files("sixgate").joinpath("chains.json").read_bytes()
    return tuple(sorted(_CHAINS.validate_json(raw), key=lambda chain: chain.chain_id))
