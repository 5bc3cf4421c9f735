"""Authentication of intents: proves which registered agent asked for what."""

from schemas.dsse import INTENT_TYPE, Envelope
from schemas.intents.intent import decode_intent, intent_digest
from signer.core.case import Authentic
from signer.core.registry.registry import Registry
from signer.core.signatures import open_envelope


def authenticate(envelope: Envelope, registry: Registry) -> Authentic:
    """Verify the signature of the agent or its gateway over the intent; trust nothing else.

    Raises ``MalformedError``, ``UnknownAgentError`` and ``InvalidSignatureError``.
    """
    body = envelope.body()
    intent = decode_intent(body)
    agent = registry.agent_of(intent)
    open_envelope(envelope, INTENT_TYPE, registry.key_of_agent(agent))
    return Authentic(intent, agent, intent_digest(body))
