"""What an agent's policy may say; an absent amount is no limit, an empty list is any."""

from functools import cached_property
from operator import not_
from typing import Annotated, Literal

from pydantic import Field

from schemas.canonical import Canonical
from schemas.fields import Address, ChainId, Count, Name
from schemas.money import EthAmount, eth_to_wei

Any_ = Literal["any"]
Unlimited = Literal["unlimited"]

FEE_ETH_MAX_DEFAULT = "0.05"

_LEAVE_OUT = Field(exclude_if=not_)
# These fields came after the first policies were signed. At their default, which allows
# nothing, they are left out of the encoding: a policy without them keeps its bytes and digest.
_Off = Annotated[bool, _LEAVE_OUT]
_DefaultPolicy = Annotated[
    Literal["deny", "allow"], Field(exclude_if=lambda default: default == "deny")
]

_DomainText = Annotated[str, Field(max_length=256)]
PrimaryType = Annotated[str, Field(max_length=64)]


class TypedDataDomain(Canonical):
    """A domain whose typed data may be signed; what is absent may be anything.

    ``primary_types`` is never empty: that could be read as any or as none.
    """

    verifying_contract: Address
    chain_id: ChainId | None = None
    name: _DomainText | None = None
    version: _DomainText | None = None
    primary_types: tuple[PrimaryType, ...] | None = Field(default=None, min_length=1, max_length=64)


class Policy(Canonical):
    """The limits of one agent, in the public field names; amounts are decimal strings of ETH.

    Open fields (an absent amount, an empty list) read as no limit; where the organisation sets
    ``policies.require_explicit`` they must say ``"unlimited"`` or ``"any"`` in words instead.
    ``tx_max_fee_eth`` alone has a default, 0.05.

    What guards messages and delegations is closed unless opened, so none of it is ever an open
    field: no EIP-191 messages, no hashes as messages, typed data of no domain but those listed
    (and of others where ``eip712_default_policy`` is ``"allow"``), no EIP-7702 delegate but
    those listed.
    """

    tx_to_allowlist: tuple[Address, ...] | Any_ = Field(default=(), max_length=4096)
    tx_max_value_eth: Unlimited | EthAmount | None = None
    tx_max_fee_eth: Unlimited | EthAmount = FEE_ETH_MAX_DEFAULT
    tx_daily_limit_eth: Unlimited | EthAmount | None = None
    tx_allowed_chains: tuple[Name, ...] | Any_ = Field(default=(), max_length=256)
    intents_per_minute: Unlimited | Count | None = None
    allow_contract_creation: bool = False

    message_signing_enabled: _Off = False
    allow_raw_hashes: _Off = False
    eip712_default_policy: _DefaultPolicy = "deny"
    eip712_domain_allowlist: Annotated[
        tuple[TypedDataDomain, ...], _LEAVE_OUT, Field(max_length=256)
    ] = ()
    delegate_allowlist: Annotated[tuple[Address, ...], _LEAVE_OUT, Field(max_length=256)] = ()
    allow_any_chain_delegation: _Off = False

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
        """Return the cap of all that gas and blobs may cost; None is no limit."""
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
