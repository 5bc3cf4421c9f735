"""Whether a signer said what an event says, and an admin ordered it; pure."""

from schemas.dsse import VAULT_ORDER_TYPE, Envelope
from schemas.order import Order
from schemas.signer_event import SignerEvent
from signer.keys.orders import KeyOrderError
from signer.registry import Registry
from signer.signatures import (
    InvalidSignatureError,
    open_envelope_of_any,
    verify_event,
    verify_event_of_any,
)


def verify_signer_event(event: SignerEvent, registry: Registry) -> None:
    """Raise ``InvalidSignatureError`` unless the signer that an event names signed it.

    With any key that it ever had: what it said with an old one stays true.
    """
    verify_event_of_any(event, registry.signer_keys.get(event.signer, ()))


def require_signer_event(event: SignerEvent, registry: Registry) -> None:
    """Raise ``KeyOrderError`` where ``verify_signer_event`` raises."""
    try:
        verify_signer_event(event, registry)
    except InvalidSignatureError:
        detail = f"the event is not signed by any key that {event.signer} ever had"
        raise KeyOrderError(detail) from None


def require_answer_signature(event: SignerEvent, order: Order, registry: Registry) -> None:
    """Raise ``KeyOrderError`` unless the key was the signer's when the order was given.

    A signer reads the registry further than any order knows it before it answers. So what a key
    that had been taken from it answers comes from a thief.
    """
    keys = registry.signer_keys_since(event.signer, order.registry_sequence)
    try:
        verify_event_of_any(event, keys)
    except InvalidSignatureError:
        require_signer_event(event, registry)
        detail = f"the key of the event was taken from {event.signer} before the order was given"
        raise KeyOrderError(detail) from None


def signed_by_active_key(event: SignerEvent, registry: Registry) -> bool:
    """Tell whether the signer of an event that was proven is active, with the key of its signature.

    What is to be relied on from now on wants more than what is true for ever: the key of a signer
    that was replaced may be a thief's by now.
    """
    public_key = registry.service_key("signer", event.signer)
    if public_key is None:
        return False
    if registry.signer_keys[event.signer] == {public_key}:
        return True  # it never had another one
    try:
        verify_event(event, public_key)
    except InvalidSignatureError:
        return False
    return True


def open_admin_order(request: Envelope, registry: Registry) -> bytes:
    """Return an order about a vault that an admin signed; raise ``KeyOrderError``."""
    try:
        return open_envelope_of_any(request, VAULT_ORDER_TYPE, registry.admin_keys)
    except InvalidSignatureError:
        raise KeyOrderError("no admin key of the organisation signed the order") from None
