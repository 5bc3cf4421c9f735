"""Registry content: everything that admins have registered, and its queries. Pure."""

import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.dsse import Envelope
from schemas.intents.intent import Intent
from schemas.registry.access import Grant
from schemas.registry.policy import Policy
from schemas.registry.records import AgentSet, ChainSet, ScopedAdminSet, ServiceRole, ServiceSet
from signer.core.errors import InvalidSignatureError, UnknownAgentError
from signer.core.registry.settings import Settings
from signer.core.registry.vault import Vault, VaultId
from signer.core.signatures import open_envelope

_ADMIN_NAME = re.compile(r"admin-[0-9]+")


class Author(NamedTuple):
    """The admin that signed an envelope, by name; a full admin has no ``scope``."""

    name: str
    scope: ScopedAdminSet | None


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
    ``scoped_keys`` holds every key that a scoped admin ever had, for the same reason.
    ``customer_keys`` holds the fingerprints of a vault's customer keys, newest last; a vault
    without one is absent. ``scoped_policies`` names the policies that a scoped admin set last.
    ``granted_policies`` maps an agent to the policy with which it was last active, or that a full
    admin gave it. ``claims`` maps the address of every imported key to the one account that may
    import it.
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
    scoped_policies: set[str] = field(default_factory=set)
    agents: dict[str, AgentSet] = field(default_factory=dict)
    granted_policies: dict[str, str] = field(default_factory=dict)
    access: dict[str, tuple[Grant, ...]] = field(default_factory=dict)
    chains: dict[int, ChainSet] = field(default_factory=dict)
    services: dict[tuple[ServiceRole, str], ServiceSet] = field(default_factory=dict)
    signer_keys: dict[str, frozenset[str]] = field(default_factory=dict)
    revoked_keys: dict[tuple[str, str], int] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)
    scoped_admins: dict[str, ScopedAdminSet] = field(default_factory=dict)
    scoped_keys: frozenset[str] = frozenset()

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

    def key_of_agent(self, agent: AgentSet) -> str:
        """Return the public key that authenticates an agent: its own, or its active gateway's.

        Raises ``InvalidSignatureError`` if no key does.
        """
        if agent.public_key is not None:
            return agent.public_key  # no gateway's key authenticates an agent with its own
        key = self.service_key("gateway", agent.gateway) if agent.gateway is not None else None
        if key is None:
            raise InvalidSignatureError(
                f"agent {agent.agent} signs through gateway {agent.gateway}, which is not active"
            )
        return key

    def service_key(self, role: ServiceRole, name: str) -> str | None:
        """Return the public key of an active service, or None."""
        service = self.services.get((role, name))
        return service.public_key if service and service.active else None

    def admin_of(self, envelope: Envelope, payload_type: str) -> str:
        """Return the name of the admin that signed an envelope; raise ``InvalidSignatureError``.

        Does not check a scoped admin's scope.
        """
        return self.author_of(envelope, payload_type).name

    def author_of(self, envelope: Envelope, payload_type: str) -> Author:
        """Return the admin that signed an envelope; raise ``InvalidSignatureError``.

        A full admin's name is the index of its key. The ``keyid`` beside the signature is not
        signed, so anyone who forwarded the envelope may have changed it. The caller must check what
        a scoped admin signed (``signer.core.registry.scope``).
        """
        for number, public_key in enumerate(self.admin_keys):
            with suppress(InvalidSignatureError):
                open_envelope(envelope, payload_type, public_key)
                return Author(f"admin-{number}", None)
        for scope in self.scoped_admins.values():
            if scope.active:
                with suppress(InvalidSignatureError):
                    open_envelope(envelope, payload_type, scope.public_key)
                    return Author(scope.name, scope)
        raise InvalidSignatureError("no admin key of the organisation signed it")

    def chain_named(self, name: str) -> ChainSet | None:
        """Find a chain by its name or an alias."""
        return next((c for c in self.chains.values() if name == c.name or name in c.aliases), None)


def reserved_name(registered: Registered, name: str) -> bool:
    """Return whether a name is one of an admin or a service in records of who did something."""
    services = {service for _, service in registered.services}
    return bool(_ADMIN_NAME.fullmatch(name)) or name in registered.scoped_admins or name in services
