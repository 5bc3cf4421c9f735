"""Checks of operators' signed records before they are appended: registry records and orders."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from schemas.canonical import event_id
from schemas.dsse import Envelope
from schemas.keys.vault_events import SecretOrder
from schemas.registry.records import AgentSet, Entry, OrgCreated, ScopedAdminSet, ServiceSet
from schemas.topics import INTERNAL_BYTES_MAX
from signer.core.errors import InvalidSignatureError, RegistryRecordError
from signer.core.registry.registry import Registry
from signer.core.signatures import is_strong_key
from signer.custody.errors import ClientShareMissingError
from signer.keys.access import Refused as AccessRefused
from signer.keys.descriptor import KeyDescriptor
from signer.keys.orders import KeyOrderError, VerifiedKeyOrder, open_order
from signer.keys.register import VaultRegister
from signer.keys.vaults.client_shares import require_client
from signer.keys.vaults.orders import (
    VerifiedVaultOrder,
    authorize_order,
    decode_vault_record,
    open_vault_order,
)
from signer.stage.stage import HaltError
from sixgate.answers import snapshot
from sixgate.api import ApiError, Json
from sixgate.clocks import wall_ms

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CheckedOrder(Generic[T]):
    """An order that may be executed, or has been executed already.

    ``answer`` looks up the signer's answer. ``denial`` returns the reason for which the registry
    now denies the order to the agent that gave it. ``access_id`` is the id of the access record
    that denies it. ``code`` is the code of a refusal.
    """

    account: str
    code: str
    answer: Callable[[], T | None]
    denial: Callable[[], str | None] = lambda: None
    access_id: str | None = None


CheckOrder: TypeAlias = Callable[[bytes, Registry, VaultRegister], CheckedOrder[T]]
"""Checks an order against registry and vaults; raises ``ApiError`` for an invalid one."""


def check_record(
    raw: bytes, registry: Registry, check_registered: Callable[[Registry], None] = lambda _: None
) -> None:
    """Raise ``registry_refused`` unless a record is valid as the registry's next one.

    It must not halt the signer either: once appended, no later record could undo it. A weak key is
    refused only here: readers apply earlier records that have one, and it verifies nothing.
    """
    _check_size(raw, "registry_refused")
    try:
        after = copy.deepcopy(registry)
        record = after.apply(raw)
        check_registered(after)
    except (RegistryRecordError, HaltError) as error:
        raise ApiError("registry_refused", str(error)) from None
    _refuse_inactive_gateway(Envelope.decode(raw), registry, "registry_refused")
    if any(not is_strong_key(key) for key in _new_keys(record.entry)):
        raise ApiError(
            "registry_refused",
            "the public key is of small order or not encoded canonically, so anyone could sign for "
            "it: make a new key",
        )


def _new_keys(entry: Entry) -> Iterator[str]:
    """Yield the public keys that an entry registers; one that deactivates registers none."""
    match entry:
        case OrgCreated(admin_keys=keys):
            yield from keys
        case (
            AgentSet(public_key=str(key), active=True)
            | ServiceSet(public_key=key, active=True)
            | ScopedAdminSet(public_key=key, active=True)
        ):
            yield key


def check_key_order(
    raw: bytes, registry: Registry, vaults: VaultRegister
) -> CheckedOrder[KeyDescriptor]:
    """Return a valid or already answered key order; raise ``key_refused`` otherwise."""
    ordered = _verified_key_order(raw, registry, vaults)
    return CheckedOrder(
        ordered.order.account, "key_refused", lambda: vaults.answered_key(ordered.id)
    )


def check_vault_order(raw: bytes, registry: Registry, vaults: VaultRegister) -> CheckedOrder[Json]:
    """Return a valid or already answered vault order; raise ``vault_refused`` otherwise."""
    ordered = _verified_vault_order(raw, registry, vaults)

    def denial() -> str | None:
        access = authorize_order(ordered, registry, wall_ms())
        return access.detail if isinstance(access, AccessRefused) else None

    return CheckedOrder(
        ordered.order.account,
        "vault_refused",
        lambda: snapshot.vault_answer(vaults, ordered.id),
        denial,
        event_id("secret.access", f"{ordered.refused_id}/{ordered.operation}"),
    )


def _verified_key_order(raw: bytes, registry: Registry, vaults: VaultRegister) -> VerifiedKeyOrder:
    _check_size(raw, "key_refused")
    try:
        ordered = open_order(raw, registry)
        _refuse_inactive_gateway(ordered.envelope, registry, "key_refused")
        if vaults.answered_key(ordered.id) is None:
            vaults.keys.check_possible(ordered.order)
    except KeyOrderError as error:
        raise ApiError("key_refused", str(error)) from None
    return ordered


def _verified_vault_order(
    raw: bytes, registry: Registry, vaults: VaultRegister
) -> VerifiedVaultOrder:
    """Return the order.

    The signer denies access to an agent without a grant, and records that. So this check skips
    everything else for such an agent: it must not learn whether a secret exists or its version.
    """
    _check_size(raw, "vault_refused")
    if (record := decode_vault_record(raw)) is None:
        raise ApiError("vault_refused", "the record is not a vault order")
    try:
        ordered = open_vault_order(record, registry)
        _refuse_inactive_gateway(ordered.envelope, registry, "vault_refused")
        if isinstance(authorize_order(ordered, registry, wall_ms()), AccessRefused):
            return ordered
        if isinstance(ordered.order, SecretOrder) and not snapshot.vault_answer(vaults, ordered.id):
            vaults.secrets.check_next(ordered.order)
            vaults.secrets.check_room(ordered.order, len(ordered.box))
            require_client(ordered.vault, ordered.order.share_for)
    except (KeyOrderError, ClientShareMissingError) as error:
        raise ApiError("vault_refused", str(error)) from None
    return ordered


def _refuse_inactive_gateway(envelope: Envelope, registry: Registry, code: str) -> None:
    """Refuse what a scoped admin signs while its gateway is not active.

    A desk signs what the holder of its gateway's certificate asks, who may be a thief. Only new
    records are refused: readers accept earlier ones as before.
    """
    try:
        author = registry.author_of(envelope, envelope.payload_type)
    except InvalidSignatureError:
        return  # an agent's order, or the first record
    if author.scope and registry.service_key("gateway", author.scope.gateway) is None:
        gateway = author.scope.gateway
        raise ApiError(
            code,
            f"gateway {gateway} is not active, so {author.name} signs nothing for it: use a full "
            f"admin, or add the gateway again with sixgate services add {gateway} --role gateway",
        )


def _check_size(raw: bytes, code: str) -> None:
    """Refuse a record that is too large for the bus before parsing it."""
    if len(raw) > INTERNAL_BYTES_MAX:
        raise ApiError(code, f"the record is over {INTERNAL_BYTES_MAX} bytes: split it")
