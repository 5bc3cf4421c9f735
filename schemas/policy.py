"""What an agent's policy may say; an absent amount is no limit, an empty list is any."""

from functools import cached_property
from typing import Literal

from pydantic import Field

from schemas.canonical import Canonical
from schemas.fields import Address, Count, Name
from schemas.money import EthAmount, eth_to_wei

Any_ = Literal["any"]
Unlimited = Literal["unlimited"]

FEE_ETH_MAX_DEFAULT = "0.05"


class Policy(Canonical):
    """The limits of one agent, in the public field names; amounts are decimal strings of ETH.

    Open fields (an absent amount, an empty list) read as no limit; where the organisation sets
    ``policies.require_explicit`` they must say ``"unlimited"`` or ``"any"`` in words instead.
    ``tx_max_fee_eth`` alone has a default, 0.05.
    """

    tx_to_allowlist: tuple[Address, ...] | Any_ = Field(default=(), max_length=4096)
    tx_max_value_eth: Unlimited | EthAmount | None = None
    tx_max_fee_eth: Unlimited | EthAmount = FEE_ETH_MAX_DEFAULT
    tx_daily_limit_eth: Unlimited | EthAmount | None = None
    tx_allowed_chains: tuple[Name, ...] | Any_ = Field(default=(), max_length=256)
    intents_per_minute: Unlimited | Count | None = None
    allow_contract_creation: bool = False

    @cached_property
    def recipients(self) -> frozenset[str] | None:
        """Return the allowed recipients; None is any."""
        return _set(self.tx_to_allowlist)

    @cached_property
    def chains(self) -> frozenset[str] | None:
        """Return the names of the allowed chains; None is any."""
        return _set(self.tx_allowed_chains)

    @cached_property
    def value_wei_max(self) -> int | None:
        """Return the cap of one transaction's value; None is no limit."""
        return _wei(self.tx_max_value_eth)

    @cached_property
    def fee_wei_max(self) -> int | None:
        """Return the cap of gas limit times max fee; None is no limit."""
        return _wei(self.tx_max_fee_eth)

    @cached_property
    def daily_wei_max(self) -> int | None:
        """Return the limit of the rolling 24 hour sum; None is no limit."""
        return _wei(self.tx_daily_limit_eth)

    @cached_property
    def intents_max(self) -> int | None:
        """Return how many intents a minute may bring; None is no limit."""
        rate = self.intents_per_minute
        return rate if isinstance(rate, int) else None

    @cached_property
    def open_fields(self) -> tuple[str, ...]:
        """Name the fields that are left open without saying so."""
        values = self.model_dump(exclude={"allow_contract_creation"})
        return tuple(name for name, value in values.items() if value in (None, ()))


def _set(names: tuple[str, ...] | Any_) -> frozenset[str] | None:
    return None if names in ((), "any") else frozenset(names)


def _wei(amount: str | None) -> int | None:
    return None if amount in (None, "unlimited") else eth_to_wei(str(amount))
