"""Policies: the limits of agents. An absent amount means no limit, an empty list means any."""

from functools import cached_property
from operator import not_
from typing import Annotated, Literal

from pydantic import Field

from schemas.canonical import Canonical
from schemas.fields import Address, ChainId, Count, Name
from schemas.intents.money import EthAmount, eth_to_wei

Any_ = Literal["any"]
Unlimited = Literal["unlimited"]

FEE_ETH_MAX_DEFAULT = "0.05"

_OMIT_DEFAULT = Field(exclude_if=not_)
# These fields were added after the first policies were signed. At their default, which allows
# nothing, they are not encoded: a policy without them keeps its bytes and digest.
_OffByDefault = Annotated[bool, _OMIT_DEFAULT]
_DefaultPolicy = Annotated[
    Literal["deny", "allow"], Field(exclude_if=lambda default: default == "deny")
]

_DomainText = Annotated[str, Field(max_length=256)]
PrimaryType = Annotated[str, Field(max_length=64)]


class TypedDataDomain(Canonical):
    """A domain whose typed data may be signed; an absent field matches any value.

    ``primary_types`` is never empty, because that could mean any type or no type.
    """

    verifying_contract: Address
    chain_id: ChainId | None = None
    name: _DomainText | None = None
    version: _DomainText | None = None
    primary_types: tuple[PrimaryType, ...] | None = Field(default=None, min_length=1, max_length=64)


class Policy(Canonical):
    """The limits of an agent, under public field names; amounts are decimal strings of ETH.

    Open fields (an absent amount, an empty list) mean no limit. If the organisation sets
    ``policies.require_explicit``, they must contain ``"unlimited"`` or ``"any"`` instead. Only
    ``tx_max_fee_eth`` has a default, 0.05.

    The fields for messages and delegations allow nothing by default, so they are never open fields:
    no EIP-191 messages, no hashes as messages, typed data of listed domains only (and of others if
    ``eip712_default_policy`` is ``"allow"``), listed EIP-7702 delegates only.
    """

    tx_to_allowlist: tuple[Address, ...] | Any_ = Field(default=(), max_length=4096)
    tx_max_value_eth: Unlimited | EthAmount | None = None
    tx_max_fee_eth: Unlimited | EthAmount = FEE_ETH_MAX_DEFAULT
    tx_daily_limit_eth: Unlimited | EthAmount | None = None
    tx_allowed_chains: tuple[Name, ...] | Any_ = Field(default=(), max_length=256)
    intents_per_minute: Unlimited | Count | None = None
    allow_contract_creation: bool = False

    message_signing_enabled: _OffByDefault = False
    allow_raw_hashes: _OffByDefault = False
    eip712_default_policy: _DefaultPolicy = "deny"
    eip712_domain_allowlist: Annotated[
        tuple[TypedDataDomain, ...], _OMIT_DEFAULT, Field(max_length=256)
    ] = ()
    delegate_allowlist: Annotated[tuple[Address, ...], _OMIT_DEFAULT, Field(max_length=256)] = ()
    allow_any_chain_delegation: _OffByDefault = False

    @cached_property
    def recipients(self) -> frozenset[str] | None:
        """Return the allowed recipients; None means any."""
        return _set(self.tx_to_allowlist)

    @cached_property
    def chains(self) -> frozenset[str] | None:
        """Return the names of the allowed chains; None means any."""
        return _set(self.tx_allowed_chains)

    @cached_property
    def value_wei_max(self) -> int | None:
        """Return the cap on one transaction's value; None means no limit."""
        return _wei(self.tx_max_value_eth)

    @cached_property
    def fee_wei_max(self) -> int | None:
        """Return the cap on the maximum cost of gas and blobs; None means no limit."""
        return _wei(self.tx_max_fee_eth)

    @cached_property
    def daily_wei_max(self) -> int | None:
        """Return the limit of the rolling 24-hour sum; None means no limit."""
        return _wei(self.tx_daily_limit_eth)

    @cached_property
    def intents_max(self) -> int | None:
        """Return the maximum number of intents per minute; None means no limit."""
        rate = self.intents_per_minute
        return rate if isinstance(rate, int) else None

    @cached_property
    def open_fields(self) -> tuple[str, ...]:
        """Return the names of the open fields: absent amounts and empty lists."""
        values = self.model_dump(exclude={"allow_contract_creation"})
        return tuple(name for name, value in values.items() if value in (None, ()))


def _set(names: tuple[str, ...] | Any_) -> frozenset[str] | None:
    return None if names in ((), "any") else frozenset(names)


def _wei(amount: str | None) -> int | None:
    return None if amount in (None, "unlimited") else eth_to_wei(str(amount))
