"""Verifies events that signers signed, and orders that admins signed. Pure."""

from schemas.dsse import VAULT_ORDER_TYPE, Envelope
from schemas.keys.order import Order
from schemas.signer_event import SignerEvent
from signer.core.errors import InvalidSignatureError
from signer.core.registry.registered import Registered
from signer.core.registry.registry import Registry
from signer.core.signatures import open_envelope_of_any
from signer.custody.event_signing import verify_event, verify_event_of_any
from signer.keys.orders import KeyOrderError


def verify_signer_event(event: SignerEvent, registry: Registry) -> None:
    """Raise ``InvalidSignatureError`` unless the signer that an event names signed it.

    Any key that the signer ever had counts: an event stays valid after a key rotation.
    """
    verify_event_of_any(event, registry.signer_keys.get(event.signer, ()))


def require_signer_event(event: SignerEvent, registry: Registry) -> None:
    """Raise ``KeyOrderError`` unless the signer that an event names signed it."""
    try:
        verify_signer_event(event, registry)
    except InvalidSignatureError:
        detail = f"the event is not signed by any key that {event.signer} ever had"
        raise KeyOrderError(detail) from None


def signer_keys_since(registry: Registered, name: str, sequence: int) -> frozenset[str]:
    """Return a signer's keys except those that the first ``sequence`` records revoked."""
    keys = registry.signer_keys.get(name, frozenset())
    revoked = registry.revoked_keys
    return frozenset(key for key in keys if revoked.get((name, key), sequence) >= sequence)


def all_signer_keys_since(registry: Registered, sequence: int) -> dict[str, frozenset[str]]:
    """Return ``signer_keys_since`` of every signer, by name."""
    return {name: signer_keys_since(registry, name, sequence) for name in registry.signer_keys}


def require_answer_signature(event: SignerEvent, order: Order, registry: Registry) -> None:
    """Raise ``KeyOrderError`` if the event's key was revoked before the order was given.

    Before it answers an order, a signer has read the registry at least as far as the order's author
    had. An answer with a key that was revoked by then was made with a stolen key.
    """
    keys = signer_keys_since(registry, event.signer, order.registry_sequence)
    try:
        verify_event_of_any(event, keys)
    except InvalidSignatureError:
        require_signer_event(event, registry)
        detail = f"the event's key was revoked from {event.signer} before the order was given"
        raise KeyOrderError(detail) from None


def signed_by_active_key(event: SignerEvent, registry: Registry) -> bool:
    """Return whether the signer of a verified event is active with the key that signed it.

    Use it for an event that takes effect from now on, such as a share key: an old signature proves
    history only, because the key of a replaced signer may have been stolen since.
    """
    public_key = registry.service_key("signer", event.signer)
    if public_key is None:
        return False
    if registry.signer_keys[event.signer] == {public_key}:
        return True  # the signer never had another key
    try:
        verify_event(event, public_key)
    except InvalidSignatureError:
        return False
    return True


def open_admin_order(request: Envelope, registry: Registry, *, scoped: bool = False) -> bytes:
    """Return the body of an answered vault order that an admin signed; raise ``KeyOrderError``.

    With ``scoped``, any key that a scoped admin ever had counts: the order was in scope when the
    signer answered it, and the signer's signature proves that.
    """
    keys = (*registry.admin_keys, *(registry.scoped_keys if scoped else ()))
    try:
        return open_envelope_of_any(request, VAULT_ORDER_TYPE, keys)
    except InvalidSignatureError:
        raise KeyOrderError("no admin key of the organisation signed the order") from None
