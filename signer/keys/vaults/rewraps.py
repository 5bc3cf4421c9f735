"""Rewrap events: verify that a signer signed them and an admin ordered them, then apply; pure."""

from typing import TypeVar

from schemas.canonical import MalformedError
from schemas.keys.order import Order
from schemas.keys.provider_roots import ProviderRootChanged, ProviderRootOrder
from schemas.keys.recovery import RecoveryOrder, SecretRecovered
from schemas.keys.vault_events import (
    Rewrap,
    SecretRewrapped,
    VaultKeyChanged,
    VaultKeyOrder,
    rewrap_id,
    vault_answer_id,
)
from signer.core.registry.registry import Registry
from signer.core.registry.vault import Vault
from signer.custody.custody_modes import PLANS
from signer.custody.order_validity import validity_problem
from signer.keys.orders import KeyOrderError
from signer.keys.signer_events import (
    open_admin_order,
    require_answer_signature,
    require_signer_event,
)
from signer.keys.vault_paths import VersionId
from signer.keys.vaults.wrappings import Wrappings

Ordered = TypeVar("Ordered", bound=Order)


def verify_rewrap(event: Rewrap, registry: Registry) -> Vault:
    """Return the vault of an event that a registered signer signed; raise ``KeyOrderError``.

    A changed KEK or root, and a replaced share, must match an admin's order.
    """
    vault = registry.vaults.get((event.account, event.vault))
    if vault is None:
        raise KeyOrderError(f"{event.account} has no vault {event.vault}")
    if isinstance(event, VaultKeyChanged):
        _check_ordered(event, registry)
    elif isinstance(event, SecretRecovered):
        _check_recovered(event, vault, registry)
    elif isinstance(event, ProviderRootChanged):
        _check_moved(event, registry)
    else:
        _check_said(event, registry)
    return vault


def apply_rewrap(wrappings: Wrappings, vault: Vault, event: Rewrap) -> None:
    """Apply a verified event; raise ``WrappingError``."""
    if isinstance(event, SecretRewrapped | SecretRecovered):
        wrappings.rewrap(vault, event)
        if isinstance(event, SecretRecovered):
            _note_ordered(wrappings, event)
    elif isinstance(event, ProviderRootChanged):
        wrappings.move_shares(vault, event)
    else:
        wrappings.change_key(vault, event)


def _note_ordered(wrappings: Wrappings, event: SecretRecovered) -> None:
    version_id = VersionId(event.account, event.vault, event.path, event.version)
    ordered_ms = RecoveryOrder.decode(event.request.body()).requested_at_ms
    wrappings.recovery_ms[version_id] = max(ordered_ms, wrappings.recovery_ms.get(version_id, 0))


def _answered(
    event: VaultKeyChanged | ProviderRootChanged | SecretRecovered,
    kind: type[Ordered],
    registry: Registry,
) -> tuple[Ordered, bytes]:
    """Return the admin's order that an event answers, and its bytes."""
    body = open_admin_order(event.request, registry, scoped=kind is VaultKeyOrder)
    try:
        order = kind.decode(body)
    except MalformedError as error:
        raise KeyOrderError(f"the order is malformed ({error})") from None
    require_answer_signature(event, order, registry)
    return order, body


def _check_said(event: SecretRewrapped, registry: Registry) -> None:
    """Verify an event without an order: a signer rewraps versions after an ordered key change."""
    require_signer_event(event, registry)
    name = rewrap_id(event.account, event.vault, event.path, event.version, event.sequence)
    if event.id != name:
        raise KeyOrderError("the event's id does not match the version that it rewraps")


def _check_ordered(event: VaultKeyChanged, registry: Registry) -> None:
    order, body = _answered(event, VaultKeyOrder, registry)
    ordered = (order.org, order.account, order.vault, order.change, order.sequence)
    if ordered != (registry.org, event.account, event.vault, event.change, event.sequence):
        raise KeyOrderError("the event is for another key than the order")
    _check_id(event.id, body)


def _check_moved(event: ProviderRootChanged, registry: Registry) -> None:
    order, body = _answered(event, ProviderRootOrder, registry)
    ordered = (order.org, order.account, order.vault, order.provider, order.sequence)
    if ordered != (registry.org, event.account, event.vault, event.provider, event.sequence):
        raise KeyOrderError("the event is for another provider than the order")
    _check_id(event.id, body)


def _check_recovered(event: SecretRecovered, vault: Vault, registry: Registry) -> None:
    order, body = _answered(event, RecoveryOrder, registry)
    ordered = (order.org, order.account, order.vault, order.path, order.version)
    if ordered != (registry.org, event.account, event.vault, event.path, event.version):
        raise KeyOrderError("the event is for another secret than the order")
    if not PLANS[vault.mode].recoverable:
        raise KeyOrderError(f"a vault of mode {vault.mode} has no recovery")
    if why := validity_problem(order.requested_at_ms, order.expires_at_ms, event.recovered_at_ms):
        raise KeyOrderError(why)
    _check_id(event.id, body)


def _check_id(name: str, body: bytes) -> None:
    if name != vault_answer_id(body):
        raise KeyOrderError("the event's id does not match its order")
