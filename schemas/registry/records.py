"""Registry records: agents, policies, services, scoped admins and others, signed and chained."""

from operator import not_
from typing import Annotated, Literal

from pydantic import Field

from schemas.canonical import Canonical, digest
from schemas.fields import (
    ChainAddress,
    ChainId,
    Count,
    Digest,
    Ed25519PublicKey,
    Gas,
    KeyPath,
    Name,
    Text,
    TimeMs,
    Uint256,
    VaultName,
)
from schemas.registry.access import GRANTS_MAX, Grant
from schemas.registry.custody import CustodyMode, Providers
from schemas.registry.policy import Policy

GENESIS_PREVIOUS = "0x" + "00" * 32
PARTITIONS_MAX = 4096


class OrgCreated(Canonical):
    """The first record: the organisation, its admin keys and the fixed number of partitions.

    One signer decides for the ``partitions_per_slot`` partitions of a slot; absent means all.
    """

    type: Literal["org.created"] = "org.created"
    org: Name
    admin_keys: tuple[Ed25519PublicKey, ...] = Field(min_length=1, max_length=16)
    partitions: int = Field(ge=1, le=PARTITIONS_MAX)
    partitions_per_slot: int | None = Field(default=None, ge=1, le=PARTITIONS_MAX)


class AccountOpened(Canonical):
    """An account: the unit of serialisation, with its own keys, nonces and budget."""

    type: Literal["account.opened"] = "account.opened"
    account: Name


class VaultCreated(Canonical):
    """A vault of an account and its custody mode, which cannot be changed.

    Without ``mode`` the organisation's tier determines it; without ``providers`` it
    has the default ones.
    """

    type: Literal["vault.created"] = "vault.created"
    account: Name
    vault: VaultName
    mode: CustodyMode | None = None
    providers: Providers = ()


class CustomerKeySet(Canonical):
    """The fingerprint of the customer key (CMEK) that encrypts all new values of a vault.

    The server never has the key. Existing values stay under their former key until rotated. Without
    ``fingerprint`` the vault accepts values without this layer again.
    """

    type: Literal["customer-key.set"] = "customer-key.set"
    account: Name
    vault: VaultName
    fingerprint: Digest | None = None


class AddressClaimed(Canonical):
    """Reserves an address for an account that imports its key; no other account may import it.

    Signers share no state except the registry, so only the registry can prevent two accounts from
    having one address.
    """

    type: Literal["address.claimed"] = "address.claimed"
    account: Name
    address: ChainAddress


class PolicySet(Canonical):
    """A policy, new or changed; the newest record of a name is in force."""

    type: Literal["policy.set"] = "policy.set"
    policy_id: Name
    policy: Policy


class AgentSet(Canonical):
    """An agent, new or changed; its account cannot change. ``active`` false revokes the agent.

    It has either a ``public_key`` of its own or a ``gateway``: the name of the service that
    authenticates the agent by a token and signs for it. The registry refuses both and neither.
    """

    type: Literal["agent.set"] = "agent.set"
    agent: Name
    account: Name
    public_key: Ed25519PublicKey | None = None
    gateway: Name | None = None
    policy_id: Name
    active: bool
    intents_api_enabled: bool
    key_paths: tuple[KeyPath, ...] = Field(default=(), max_length=64)
    expires_at_ms: TimeMs | None = None


class AccessSet(Canonical):
    """All grants of an agent. The newest record is in force; a grant that it lacks is revoked."""

    type: Literal["access.set"] = "access.set"
    agent: Name
    grants: tuple[Grant, ...] = Field(max_length=GRANTS_MAX)


class Fees(Canonical):
    """A chain's default gas and fees, used if neither intent nor simulation has them."""

    gas_limit: Gas
    max_fee_per_gas_wei: Uint256
    max_priority_fee_per_gas_wei: Uint256


class ChainSet(Canonical):
    """A chain, new or changed."""

    type: Literal["chain.set"] = "chain.set"
    chain_id: ChainId
    name: Name
    aliases: tuple[Name, ...] = Field(default=(), max_length=16)
    symbol: Annotated[str, Field(pattern="^[A-Za-z0-9]{1,12}$")]
    explorer: Annotated[str, Field(max_length=128)]
    testnet: bool
    rpc_url: Annotated[str, Field(max_length=512)] | None = None
    default_fees: Fees | None = None


class ChainRemoved(Canonical):
    """Removes a chain, which can then no longer be used; its records remain."""

    type: Literal["chain.removed"] = "chain.removed"
    chain_id: ChainId


SettingName = Literal[
    "policies.require_explicit",
    "simulation.required",
    "simulation.age_ms_max",
    "idempotency.remember_ms",
    "org.tier",
]


class SettingSet(Canonical):
    """One setting of the organisation."""

    type: Literal["setting.set"] = "setting.set"
    name: SettingName
    value: bool | Count | Annotated[str, Field(max_length=256)]


ServiceRole = Literal["signer", "simulator", "ledger", "registrar", "gateway", "import"]


class ServiceSet(Canonical):
    """The public key of a service; ``active`` false revokes it.

    The role ``import`` is obsolete: a signer's X25519 key, to which nothing is sealed any more.
    """

    type: Literal["service.set"] = "service.set"
    role: ServiceRole
    name: Name
    public_key: Ed25519PublicKey
    active: bool


class ScopedAdminSet(Canonical):
    """An admin with a limited scope, new or changed; ``active`` false revokes it.

    It administers the agents of ``gateway`` in ``accounts``, orders their keys and the secrets of
    these accounts, and sets policies at most as loose as ``ceiling``. ``chains`` lets it set and
    remove chains, ``settings`` change these settings, ``domains`` list any domain of typed data in
    its policies, ``delegates`` any EIP-7702 delegate. Only a full admin may set this entry.
    """

    type: Literal["scoped-admin.set"] = "scoped-admin.set"
    name: Name
    public_key: Ed25519PublicKey
    active: bool
    accounts: tuple[Name, ...] = Field(min_length=1, max_length=256)
    gateway: Name
    ceiling: Policy = Policy()
    chains: bool = False
    domains: bool = False
    # Added later; a record without it keeps its bytes.
    delegates: Annotated[bool, Field(exclude_if=not_)] = False
    settings: tuple[SettingName, ...] = Field(default=(), max_length=64)


Entry = Annotated[
    OrgCreated
    | AccountOpened
    | VaultCreated
    | AddressClaimed
    | CustomerKeySet
    | PolicySet
    | AgentSet
    | AccessSet
    | ChainSet
    | ChainRemoved
    | SettingSet
    | ServiceSet
    | ScopedAdminSet,
    Field(discriminator="type"),
]


RecordVersion = Literal[1, 2]


class RegistryRecord(Canonical):
    """One entry in the organisation's chain of records; an admin signs its envelope.

    A scoped admin signs only entries within its scope. In version 2 a policy or an agent that it
    changes is compared with its ceiling only where the change loosens something.
    """

    v: RecordVersion = 1
    type: Literal["registry.record"] = "registry.record"
    org: Name
    sequence: Count
    previous: Digest
    at_ms: TimeMs
    entry: Entry
    note: Text | None = None


def record_digest(body: bytes) -> str:
    """Return the digest of a record's canonical bytes; the next record has it as ``previous``."""
    return digest("sixgate/registry/v1", body)
