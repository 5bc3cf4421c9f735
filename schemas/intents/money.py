"""Exact conversion between decimals and integer wei; 1 ETH is 10^18 wei."""

import re
from typing import Annotated

from pydantic import AfterValidator

from schemas.fields import UINT256_MAX

ETH_DECIMALS = 18
WEI_PER_ETH: int = 10**ETH_DECIMALS

_ETH = re.compile(r"(0|[1-9][0-9]*)(?:\.([0-9]{1,18}))?", re.ASCII)
_ETH_LENGTH_MAX = 80


def eth_to_wei(eth: str) -> int:
    """Convert a plain decimal such as ``"0.5"`` to wei.

    Raises ``ValueError`` for signs, exponents, spaces, leading zeros, more than 18 decimals, or
    2^256 wei and above: nothing is rounded.
    """
    match = _ETH.fullmatch(eth) if len(eth) <= _ETH_LENGTH_MAX else None
    if match is None:
        raise ValueError("not a plain decimal amount with at most 18 decimals, such as 0.5")
    whole, fraction = match.group(1), match.group(2) or ""
    wei = int(whole) * WEI_PER_ETH + int(fraction.ljust(ETH_DECIMALS, "0"))
    if wei > UINT256_MAX:
        raise ValueError("2^256 wei or more")
    return wei


def wei_to_eth(wei: int) -> str:
    """Write wei as the shortest decimal of ETH that converts back to it."""
    whole, fraction = divmod(wei, WEI_PER_ETH)
    digits = f"{fraction:018d}".rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)


def _canonical_eth(eth: str) -> str:
    if wei_to_eth(eth_to_wei(eth)) != eth:
        raise ValueError("trailing zeros: write the shortest form of the amount")
    return eth


EthAmount = Annotated[str, AfterValidator(_canonical_eth)]
