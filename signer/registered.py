"""Registry content: everything that admins have registered, and its queries. Pure."""

from contextlib import suppress
from dataclasses import dataclass, field

from schemas.access import Grant
from schemas.dsse import Envelope
from schemas.intent import Intent
from schemas.policy import Policy
from schemas.registry import AgentSet, ChainSet, ServiceRole, ServiceSet
from signer.settings import Settings
from signer.signatures import InvalidSignatureError, open_envelope
from signer.vaults.vault import Vault, VaultId


class UnknownAgentError(Exception):
    """The intent names an unknown agent, or an agent of another account."""


@dataclass(frozen=True, slots=True)
class RegisteredPolicy:
    """A policy, and its digest in verdicts and outcomes."""

    policy: Policy
    digest: str


@dataclass(slots=True, kw_only=True)
class Registered:
    """Everything that admins have registered, after applying all entries so far.

    ``signer_keys`` holds every key that a signer ever had: what it signed before a revocation stays
    valid. ``revoked_keys`` maps signer and key to the sequence of the record that revoked the key.
    ``customer_keys`` holds the fingerprints of a vault's customer keys, newest last. ``claims``
    maps the address of every imported key to the one account that may import it.
    """

    org: str = ""
    partitions: int = 0
    partitions_per_slot: int = 0
    admin_keys: tuple[str, ...] = ()
    accounts: set[str] = field(default_factory=set)
    claims: dict[str, str] = field(default_factory=dict)
    vaults: dict[VaultId, Vault] = field(default_factory=dict)
    customer_keys: dict[VaultId, tuple[str, ...]] = field(default_factory=dict)
    policies: dict[str, RegisteredPolicy] = field(default_factory=dict)
    agents: dict[str, AgentSet] = field(default_factory=dict)
    access: dict[str, tuple[Grant, ...]] = field(default_factory=dict)
    chains: dict[int, ChainSet] = field(default_factory=dict)
    services: dict[tuple[ServiceRole, str], ServiceSet] = field(default_factory=dict)
    signer_keys: dict[str, frozenset[str]] = field(default_factory=dict)
    revoked_keys: dict[tuple[str, str], int] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)

    def agent_of(self, intent: Intent) -> AgentSet:
        """Return the intent's agent; raise ``UnknownAgentError`` unless it acts for the account.

        Does not verify the agent's signature.
        """
        agent = self.agents.get(intent.agent)
        if agent is None or intent.org != self.org:
            raise UnknownAgentError(f"no agent {intent.agent} in {intent.org}")
        if agent.account != intent.account:
            raise UnknownAgentError(f"agent {intent.agent} does not act for {intent.account}")
        return agent

    def service_key(self, role: ServiceRole, name: str) -> str | None:
        """Return the public key of an active service, or None."""
        service = self.services.get((role, name))
        return service.public_key if service and service.active else None

    def admin_of(self, envelope: Envelope, payload_type: str) -> str:
        """Return the name of the admin that signed an envelope; raise ``InvalidSignatureError``.

        The name is the index of the admin's key. The ``keyid`` beside the signature is not signed,
        so anyone who forwarded the envelope may have changed it.
        """
        for number, public_key in enumerate(self.admin_keys):
            with suppress(InvalidSignatureError):
                open_envelope(envelope, payload_type, public_key)
                return f"admin-{number}"
        raise InvalidSignatureError("no admin key of the organisation signed it")

    def signer_keys_since(self, name: str, sequence: int) -> frozenset[str]:
        """Return a signer's keys except those that the first ``sequence`` records revoked."""
        keys = self.signer_keys.get(name, frozenset())
        return frozenset(
            key for key in keys if self.revoked_keys.get((name, key), sequence) >= sequence
        )

    def all_signer_keys_since(self, sequence: int) -> dict[str, frozenset[str]]:
        """Return ``signer_keys_since`` of every signer, by name."""
        return {name: self.signer_keys_since(name, sequence) for name in self.signer_keys}

    def chain_named(self, name: str) -> ChainSet | None:
        """Find a chain by its name or an alias."""
        return next((c for c in self.chains.values() if name == c.name or name in c.aliases), None)
