"""What the routes of the HTTP API work with; one composition root builds it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from fastapi import Request

from schemas.fields import Name
from signer.custody.event_signing import Ed25519Signer
from sixgate.backends.ports import Backend
from sixgate.desk.desk import Desk
from sixgate.gateway.access_policies import AccessPolicies
from sixgate.gateway.agents import Agents
from sixgate.gateway.api_keys import ApiKeys, OwnerKind
from sixgate.gateway.calls import Calls
from sixgate.gateway.chain_names import ChainNames
from sixgate.gateway.database import Database
from sixgate.gateway.idempotency import IdempotencyKeys
from sixgate.gateway.logins import ID_PREFIX, Logins
from sixgate.gateway.people import People
from sixgate.gateway.rotations import Rotations
from sixgate.gateway.secret_versions import SecretVersions
from sixgate.gateway.tokens import Token, Tokens
from sixgate.gateway.transactions import Transactions
from sixgate.gateway.vaults import Vaults
from sixgate.intents.intake import Intake
from sixgate.oidc.login import OidcLogin
from sixgate.webhooks.service import Webhooks


@dataclass(frozen=True, slots=True)
class Services:
    """The services of one gateway.

    ``account`` is the account of the agents that people create through the API. ``gateway_key``
    signs the intents of token-authenticated agents. ``intake`` admits new intents. ``wait_s`` is
    how long a reply waits for an outcome. ``oidc`` verifies ID tokens of people. ``private_urls``
    allows private addresses of nodes. Clocks and randomness are inputs.
    """

    backend: Backend
    desk: Desk
    calls: Calls
    database: Database
    people: People
    logins: Logins
    agents: Agents
    chain_names: ChainNames
    api_keys: ApiKeys
    tokens: Tokens
    transactions: Transactions
    vaults: Vaults
    secret_versions: SecretVersions
    access_policies: AccessPolicies
    rotations: Rotations
    org: Name
    account: Name
    webhooks: Webhooks
    gateway_key: Ed25519Signer = field(repr=False)
    now_ms: Callable[[], int]
    random_hex: Callable[[int], str]
    new_id: Callable[[], str]
    idempotency: IdempotencyKeys
    intake: Intake
    wait_s: float
    oidc: OidcLogin | None = None
    private_urls: bool = False

    def credential_problem(self, token: Token) -> str | None:
        """Return why a token does not count: its credential or owner ended; otherwise None."""
        if token.credential.startswith(ID_PREFIX):
            login = self.logins.get(token.credential)
            if login is None:
                return "the login of this token was removed"
            owner: tuple[OwnerKind, str] = ("person", login.person)
        else:
            try:
                key = self.api_keys.of(token.credential)
            except KeyError:
                return "the API key of this token was deleted"
            if key.expires_at_ms is not None and key.expires_at_ms <= self.now_ms():
                return "the API key of this token has expired"
            owner = (key.owner_kind, key.owner)
        if owner != (token.owner_kind, token.owner):
            return "the credential of this token belongs to someone else"
        if token.owner_kind == "person":
            return self.person_problem(token.owner)
        return self.agent_problem(token.owner)

    def person_problem(self, person_id: str) -> str | None:
        """Return why a person may not use the API at all; otherwise None."""
        found = self.people.get(person_id)
        return None if found and found.active else "the person was deactivated"

    def agent_problem(self, agent_id: str) -> str | None:
        """Return why an agent may not use the API at all; otherwise None."""
        agent = self.backend.read.registered.agents.get(agent_id)
        if agent is None or not agent.active:
            return "the agent was deactivated"
        if agent.expires_at_ms is not None and agent.expires_at_ms <= self.now_ms():
            return "the agent has expired"
        return None


async def services_of(request: Request) -> Services:
    """Return the services of the application that serves a request.

    It is async because the framework runs other dependencies in a thread.
    """
    return cast(Services, request.app.state.services)
