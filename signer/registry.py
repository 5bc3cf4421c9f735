"""The registry as a trust machine: records go in one by one, only proven ones change it.

The trust root is the digest of the first record, remembered outside the bus. Shape after
python-tuf's TrustedMetadataSet.
"""

from contextlib import suppress
from dataclasses import dataclass, field

from schemas.access import Grant
from schemas.canonical import Malformed, digest
from schemas.dsse import REGISTRY_TYPE, Envelope
from schemas.intent import Intent
from schemas.policy import Policy
from schemas.registry import (
    GENESIS_PREVIOUS,
    AccessSet,
    AccountOpened,
    AddressClaimed,
    AgentSet,
    ChainRemoved,
    ChainSet,
    CustomerKeySet,
    OrgCreated,
    PolicySet,
    RegistryRecord,
    ServiceRole,
    ServiceSet,
    SettingSet,
    VaultCreated,
    record_digest,
)
from signer.settings import Settings, checked_setting
from signer.signatures import SignatureWrong, open_envelope, open_envelope_of_any
from signer.vaults.vault import Vault, VaultPlace, VaultWrong, automatic, created


class RegistryRefused(Exception):  # noqa: N818 - a refusal of a record, told to its writer
    """A record that does not continue the registry; the registry is unchanged."""


class AgentUnknown(Exception):  # noqa: N818 - a refusal, named as the reason code is
    """The agent an intent names is nobody, or may not speak for its account."""


@dataclass(frozen=True, slots=True)
class RegisteredPolicy:
    """A policy and the digest that verdicts and outcomes name it by."""

    policy: Policy
    digest: str


@dataclass(slots=True)
class Registry:
    """Everything operators have registered, folded from proven records.

    ``digests`` names every record in order. ``signer_keys`` are all that a signer ever had: what it
    answered with an old one stays true. ``taken`` has the record that took a key from a signer.
    ``customer_keys`` has the fingerprints that a vault's customer enrolled, the newest one last.
    ``claims`` maps the address of every key from outside to the one account that may bring it.
    """

    trust_root: str
    digests: list[str] = field(default_factory=list)
    org: str = ""
    partitions: int = 0
    partitions_per_slot: int = 0
    admin_keys: tuple[str, ...] = ()
    accounts: set[str] = field(default_factory=set)
    claims: dict[str, str] = field(default_factory=dict)
    vaults: dict[VaultPlace, Vault] = field(default_factory=dict)
    customer_keys: dict[VaultPlace, tuple[str, ...]] = field(default_factory=dict)
    policies: dict[str, RegisteredPolicy] = field(default_factory=dict)
    agents: dict[str, AgentSet] = field(default_factory=dict)
    access: dict[str, tuple[Grant, ...]] = field(default_factory=dict)
    chains: dict[int, ChainSet] = field(default_factory=dict)
    services: dict[tuple[ServiceRole, str], ServiceSet] = field(default_factory=dict)
    signer_keys: dict[str, frozenset[str]] = field(default_factory=dict)
    taken: dict[tuple[str, str], int] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)

    @property
    def sequence(self) -> int:
        """Return the number of the next record."""
        return len(self.digests)

    @property
    def head(self) -> str:
        """Return the digest of the last record."""
        return self.digests[-1] if self.digests else GENESIS_PREVIOUS

    def apply(self, raw: bytes) -> RegistryRecord:
        """Take the next record; raise ``RegistryRefused`` and stay as before if it is not proven.

        1. The envelope is canonical. 2. An admin key signed it (the first record names its own,
        and is the one whose digest we were told to trust). 3. It continues the chain. 4. Its
        entry is possible.
        """
        envelope, record = _decode(raw)
        self._check_signed(envelope, record)
        name = record_digest(envelope.body())
        self._check_chained(record, name)
        self._fold(record.entry)
        self.digests.append(name)
        return record

    def agent_of(self, intent: Intent) -> AgentSet:
        """Return the agent an intent names; raise ``AgentUnknown`` unless it acts for its account.

        That the agent signed the intent is yet to be proven.
        """
        agent = self.agents.get(intent.agent)
        if agent is None or intent.org != self.org:
            raise AgentUnknown(f"no agent {intent.agent} in {intent.org}")
        if agent.account != intent.account:
            raise AgentUnknown(f"agent {intent.agent} does not act for {intent.account}")
        return agent

    def service_key(self, role: ServiceRole, name: str) -> str | None:
        """Return the public key of an active service, or None."""
        service = self.services.get((role, name))
        return service.public_key if service and service.active else None

    def admin_of(self, envelope: Envelope, payload_type: str) -> str:
        """Return the name of the admin whose key signed an envelope; raise ``SignatureWrong``.

        Admins are called by the place of their key. What name stands beside a signature is no
        part of what was signed: whoever carried the envelope may have written it.
        """
        for number, public_key in enumerate(self.admin_keys):
            with suppress(SignatureWrong):
                open_envelope(envelope, payload_type, public_key)
                return f"admin-{number}"
        raise SignatureWrong("no admin key of the organisation signed it")

    def signer_keys_since(self, name: str, sequence: int) -> frozenset[str]:
        """Return a signer's keys without those that the first ``sequence`` records took from it."""
        had = self.signer_keys.get(name, frozenset())
        return frozenset(key for key in had if self.taken.get((name, key), sequence) >= sequence)

    def chain_named(self, name: str) -> ChainSet | None:
        """Find a chain by its name or an alias."""
        return next((c for c in self.chains.values() if name == c.name or name in c.aliases), None)

    def _check_signed(self, envelope: Envelope, record: RegistryRecord) -> None:
        keys = self.admin_keys
        if self.sequence == 0:
            keys = record.entry.admin_keys if isinstance(record.entry, OrgCreated) else ()
        try:
            open_envelope_of_any(envelope, REGISTRY_TYPE, keys)
        except SignatureWrong:
            raise RegistryRefused("no admin key of the organisation signed the record") from None

    def _check_chained(self, record: RegistryRecord, name: str) -> None:
        if self.sequence == 0 and name != self.trust_root:
            raise RegistryRefused("the first record is not the one this registry trusts")
        if record.sequence != self.sequence or record.previous != self.head:
            raise RegistryRefused(f"the record does not continue record {self.sequence - 1}")
        if self.sequence and record.org != self.org:
            raise RegistryRefused("the record belongs to another organisation")

    def _fold(self, entry: object) -> None:
        match entry:
            case OrgCreated():
                self._create(entry)
            case AccountOpened() | AddressClaimed() | VaultCreated() | CustomerKeySet():
                self._set_account(entry)
            case PolicySet():
                named = digest("sixgate/policy/v1", entry.policy.encode())
                self.policies[entry.policy_id] = RegisteredPolicy(entry.policy, named)
            case AgentSet() | AccessSet():
                self._set_agent(entry)
            case ChainSet():
                self._set_chain(entry)
            case ChainRemoved():
                if self.chains.pop(entry.chain_id, None) is None:
                    raise RegistryRefused(f"chain {entry.chain_id} is not registered")
            case SettingSet():
                self._set_setting(entry)
            case ServiceSet():
                self._set_service(entry)
            case _:
                raise RegistryRefused("the record's entry is of no known type")

    def _create(self, entry: OrgCreated) -> None:
        if self.sequence:
            raise RegistryRefused("the organisation exists already")
        self.org = entry.org
        self.admin_keys = entry.admin_keys
        self.partitions = entry.partitions
        self.partitions_per_slot = entry.partitions_per_slot or entry.partitions

    def _set_account(
        self, entry: AccountOpened | AddressClaimed | VaultCreated | CustomerKeySet
    ) -> None:
        match entry:
            case AccountOpened():
                self._open_account(entry.account)
            case AddressClaimed():
                self._claim(entry)
            case VaultCreated():
                self._create_vault(entry)
            case CustomerKeySet():
                self._enrol(entry)

    def _open_account(self, account: str) -> None:
        if account in self.accounts:
            return  # nothing that came since may make a vault of it now
        self.accounts.add(account)
        for vault in automatic(account, self.settings.tier):
            self.vaults.setdefault(vault.place, vault)

    def _create_vault(self, entry: VaultCreated) -> None:
        try:
            vault = created(entry, self.settings.tier)
        except VaultWrong as error:
            raise RegistryRefused(str(error)) from None
        if (before := self.vaults.get(vault.place)) is not None:
            raise RegistryRefused(
                f"{entry.account} has a vault {entry.vault} of mode {before.mode}, for ever"
            )
        # Its own vaults of keys may be set before an account is opened, while no key can exist.
        if entry.account not in self.accounts and not vault.holds_keys:
            raise RegistryRefused(f"account {entry.account} is not open")
        self.vaults[vault.place] = vault

    def _enrol(self, entry: CustomerKeySet) -> None:
        vault = self.vaults.get((entry.account, entry.vault))
        if vault is None or vault.holds_keys:
            raise RegistryRefused(f"{entry.account} has no vault {entry.vault} for secrets")
        had = self.customer_keys.get(vault.place, ())
        if entry.fingerprint in had:
            raise RegistryRefused(
                f"{entry.vault} has or had the customer's key {entry.fingerprint}"
            )
        self.customer_keys[vault.place] = (*had, entry.fingerprint)

    def _claim(self, entry: AddressClaimed) -> None:
        if entry.account not in self.accounts:
            raise RegistryRefused(f"account {entry.account} is not open")
        owner = self.claims.setdefault(entry.address, entry.account)
        if owner != entry.account:
            raise RegistryRefused(f"the address {entry.address} is claimed by account {owner}")

    def _set_agent(self, entry: AgentSet | AccessSet) -> None:
        before = self.agents.get(entry.agent)
        if isinstance(entry, AccessSet):
            if before is None:
                raise RegistryRefused(f"agent {entry.agent} is not registered")
            self.access[entry.agent] = entry.grants
            return
        if entry.account not in self.accounts:
            raise RegistryRefused(f"account {entry.account} is not open")
        if before and before.account != entry.account:
            raise RegistryRefused(f"agent {entry.agent} acts for {before.account} for ever")
        self.agents[entry.agent] = entry

    def _set_chain(self, entry: ChainSet) -> None:
        for name in (entry.name, *entry.aliases):
            owner = self.chain_named(name)
            if owner and owner.chain_id != entry.chain_id:
                raise RegistryRefused(f"the name {name} belongs to chain {owner.chain_id}")
        self.chains[entry.chain_id] = entry

    def _set_service(self, entry: ServiceSet) -> None:
        before = self.service_key(entry.role, entry.name)
        self.services[(entry.role, entry.name)] = entry
        if entry.role == "signer":
            self._set_signer(entry, before)

    def _set_signer(self, entry: ServiceSet, before: str | None) -> None:
        if before is not None:
            self.taken[entry.name, before] = self.sequence
        if entry.active:
            self.taken.pop((entry.name, entry.public_key), None)
            # A new set, so that other threads may go through the one they have.
            had = self.signer_keys.get(entry.name, frozenset())
            self.signer_keys[entry.name] = had | {entry.public_key}

    def _set_setting(self, entry: SettingSet) -> None:
        try:
            self.settings = checked_setting(self.settings, entry.name, entry.value)
        except ValueError as error:
            raise RegistryRefused(str(error)) from None


def _decode(raw: bytes) -> tuple[Envelope, RegistryRecord]:
    try:
        envelope = Envelope.decode(raw)
        return envelope, RegistryRecord.decode(envelope.body())
    except Malformed as error:
        raise RegistryRefused(f"the record is malformed ({error})") from None
