"""Verification of read requests: canonical, fresh, signed for the agent it names, not replayed."""

from dataclasses import dataclass, field

from schemas.canonical import MalformedError
from schemas.dsse import READ_REQUEST_TYPE, Envelope
from schemas.keys.secret_requests import SecretRequest, secret_request_digest
from schemas.registry.records import AgentSet
from signer.core.errors import InvalidSignatureError
from signer.core.registry.registry import Registry
from signer.core.registry.vault import Vault
from signer.core.signatures import open_envelope

FRESH_MS = 60_000
SEEN_MAX = 100_000


class ReadRequestError(Exception):
    """A request that is malformed, unauthenticated, stale or replayed."""


@dataclass(frozen=True, slots=True)
class VerifiedRequest:
    """A verified request, its digest (``name``), the agent that signed it, and the vault."""

    request: SecretRequest
    name: str
    agent: AgentSet
    vault: Vault


@dataclass(frozen=True, slots=True)
class SeenRequests:
    """Replay protection: digests of recent requests with their arrival times, oldest first."""

    seen_at_ms: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, requested_at_ms: int, now_ms: int) -> None:
        """Remember a request; raise ``ReadRequestError`` if it is stale or a replay."""
        if abs(now_ms - requested_at_ms) > FRESH_MS:
            raise ReadRequestError(
                "the request is over a minute old, or from the future: check the clock"
            )
        # A request is stale after FRESH_MS, and may be dated FRESH_MS ahead: twice that suffices.
        self._forget(now_ms - 2 * FRESH_MS)
        if name in self.seen_at_ms:
            raise ReadRequestError("the request was already answered: sign a new one")
        if len(self.seen_at_ms) >= SEEN_MAX:
            raise ReadRequestError(
                f"over {SEEN_MAX} read requests in two minutes: try again in a minute"
            )
        self.seen_at_ms[name] = now_ms

    def _forget(self, before_ms: int) -> None:
        while self.seen_at_ms and self.seen_at_ms[next(iter(self.seen_at_ms))] < before_ms:
            del self.seen_at_ms[next(iter(self.seen_at_ms))]


def verify_request(
    raw: bytes, registry: Registry, seen: SeenRequests, now_ms: int
) -> VerifiedRequest:
    """Verify a request and remember it against replays; raise ``ReadRequestError``."""
    try:
        envelope = Envelope.decode(raw)
        request = SecretRequest.decode(envelope.body())
        agent = _agent(request, registry)
        open_envelope(envelope, READ_REQUEST_TYPE, registry.key_of_agent(agent))
    except MalformedError as error:
        raise ReadRequestError(f"the request is malformed ({error})") from None
    except InvalidSignatureError:
        raise ReadRequestError("the request is not signed by the agent that it names") from None
    if request.operation == "list" and request.path is not None:
        raise ReadRequestError("a list request must not have a path")
    if request.operation != "list" and request.path is None:
        raise ReadRequestError(f"a {request.operation} request needs a path")
    name = secret_request_digest(envelope.body())
    seen.add(name, request.requested_at_ms, now_ms)
    known = registry.vaults.get((request.account, request.vault))
    # An unknown vault is authorized like an empty one, so an agent without a grant cannot tell.
    return VerifiedRequest(
        request, name, agent, known or Vault(request.account, request.vault, "envelope")
    )


def _agent(request: SecretRequest, registry: Registry) -> AgentSet:
    agent = registry.agents.get(request.agent)
    if agent is None or request.org != registry.org:
        raise ReadRequestError(f"{request.org} has no agent {request.agent}")
    return agent
