"""Prove who asks for a secret: a request is canonical, fresh, its agent's, and serves once."""

from dataclasses import dataclass, field

from schemas.canonical import MalformedError
from schemas.dsse import READ_REQUEST_TYPE, Envelope
from schemas.registry import AgentSet
from schemas.secret_requests import SecretRequest, secret_request_digest
from signer.registry import Registry
from signer.signatures import InvalidSignatureError, open_envelope
from signer.vaults.vault import Vault

FRESH_MS = 60_000
SEEN_MAX = 100_000


class ReadRequestError(Exception):
    """A request that proves nothing: nobody in particular asked, or not now."""


@dataclass(frozen=True, slots=True)
class ProvenRequest:
    """A proven request, its digest, who asks, and the vault it is about."""

    request: SecretRequest
    name: str
    agent: AgentSet
    vault: Vault


@dataclass(frozen=True, slots=True)
class SeenRequests:
    """The requests that are too young to be forgotten, and when each came, in order."""

    came_at_ms: dict[str, int] = field(default_factory=dict)

    def take(self, name: str, asked_ms: int, now_ms: int) -> None:
        """Remember a request; raise ``ReadRequestError`` for what is old or came before."""
        if abs(now_ms - asked_ms) > FRESH_MS:
            raise ReadRequestError("the request is over a minute old, or ahead: check the clock")
        self._forget(now_ms - 2 * FRESH_MS)
        if name in self.came_at_ms:
            raise ReadRequestError("the request was answered before: sign another one")
        if len(self.came_at_ms) >= SEEN_MAX:
            raise ReadRequestError("too many secrets are asked for: try again in a minute")
        self.came_at_ms[name] = now_ms

    def _forget(self, before_ms: int) -> None:
        while self.came_at_ms and self.came_at_ms[next(iter(self.came_at_ms))] < before_ms:
            del self.came_at_ms[next(iter(self.came_at_ms))]


def prove(raw: bytes, registry: Registry, seen: SeenRequests, now_ms: int) -> ProvenRequest:
    """Return a request once it is proven, and take it as seen; raise ``ReadRequestError``."""
    try:
        envelope = Envelope.decode(raw)
        request = SecretRequest.decode(envelope.body())
        agent = _agent(request, registry)
        open_envelope(envelope, READ_REQUEST_TYPE, agent.public_key)
    except MalformedError as error:
        raise ReadRequestError(f"the request is malformed ({error})") from None
    except InvalidSignatureError:
        raise ReadRequestError("the request is not signed by the agent that it names") from None
    if (request.path is None) is not (request.operation == "list"):
        raise ReadRequestError("a list has no path, and everything else has one")
    name = secret_request_digest(envelope.body())
    seen.take(name, request.requested_at_ms, now_ms)
    known = registry.vaults.get((request.account, request.vault))
    # A vault that is none is judged as one on which nobody has a grant.
    return ProvenRequest(
        request, name, agent, known or Vault(request.account, request.vault, "envelope")
    )


def _agent(request: SecretRequest, registry: Registry) -> AgentSet:
    agent = registry.agents.get(request.agent)
    if agent is None or request.org != registry.org:
        raise ReadRequestError(f"there is no agent {request.agent} in {request.org}")
    return agent
