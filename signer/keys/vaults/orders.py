"""Vault orders: read, verify the signature, authorize; pure."""

from dataclasses import dataclass, field

from pydantic import TypeAdapter

from schemas.canonical import MalformedError, decode_as
from schemas.dsse import VAULT_ORDER_TYPE, Envelope
from schemas.keys.secret_access import Operation
from schemas.keys.vault_events import (
    SecretDelivery,
    SecretOrder,
    VaultOrder,
    decode_vault_order,
    secret_delivery_id,
    vault_answer_id,
)
from schemas.redaction import redacted_digest
from signer.core.errors import InvalidSignatureError
from signer.core.registry.registry import Registry
from signer.core.registry.vault import Vault
from signer.core.signatures import open_envelope
from signer.custody.order_validity import validity_problem
from signer.keys.access import Access, Accessor, Allowed, Target, decide
from signer.keys.order_scope import vault_order_problem
from signer.keys.orders import KeyOrderError, refuse_unknown_registry

_ORDER_RECORD: TypeAdapter[Envelope | SecretDelivery] = TypeAdapter(Envelope | SecretDelivery)


@dataclass(frozen=True, slots=True)
class VerifiedVaultOrder:
    """A verified order in its envelope; ``box`` is the sealed value of a secret, if it has one.

    ``id`` is the id of its answer, ``vault`` the vault it is about, ``actor`` the agent or admin
    who signed it.
    """

    order: VaultOrder
    envelope: Envelope
    id: str
    vault: Vault
    actor: str
    box: bytes = field(default=b"", repr=False)

    @property
    def refused_id(self) -> str:
        """The request name of the audit record of its refusal."""
        return f"{self.id}/refused"

    @property
    def operation(self) -> Operation:
        """The operation of an order about a secret, for its authorization and audit record."""
        return "rotate" if isinstance(self.order, SecretOrder) and self.order.version > 1 else "put"


def decode_vault_record(raw: bytes) -> Envelope | SecretDelivery | None:
    """Return the vault order in a record of ``keys.requests``; None if it holds another order."""
    try:
        record = decode_as(_ORDER_RECORD.validate_json, raw)
    except MalformedError:
        return None
    envelope = record if isinstance(record, Envelope) else record.request
    return record if envelope.payload_type == VAULT_ORDER_TYPE else None


def open_vault_order(record: Envelope | SecretDelivery, registry: Registry) -> VerifiedVaultOrder:
    """Verify an order that an admin signed, or the agent that it names; raise ``KeyOrderError``.

    A scoped admin gives only orders in its scope. The order's vault exists and can hold what it
    orders. ``authorize_order`` decides whether an agent may give it.
    """
    delivery = record if isinstance(record, SecretDelivery) else None
    envelope = record if isinstance(record, Envelope) else record.request
    (order, actor), body = _verified(envelope, registry), envelope.body()
    vault = registry.vaults.get((order.account, order.vault))
    if order.org != registry.org or vault is None:
        raise KeyOrderError(f"{order.account} has no vault {order.vault} in the organisation")
    if isinstance(order, SecretOrder) and vault.holds_keys:
        raise KeyOrderError(
            f"{order.vault} holds only signing keys: order a key, or name another vault"
        )
    refuse_unknown_registry(order, registry)
    box = _box(order, body, delivery)
    return VerifiedVaultOrder(order, envelope, vault_answer_id(body), vault, actor, box)


def read_vault_order(request: Envelope) -> VaultOrder:
    """Return the order in an envelope without verifying it; raise ``KeyOrderError``."""
    try:
        return decode_vault_order(request.body())
    except MalformedError as error:
        raise KeyOrderError(f"the order is malformed ({error})") from None


def authorize_order(ordered: VerifiedVaultOrder, registry: Registry, at_ms: int) -> Access:
    """Decide whether the signer of an order may give it: admins always, agents by their grants.

    ``open_vault_order`` has checked the scope of a scoped admin.
    """
    order = ordered.order
    if not isinstance(order, SecretOrder) or order.agent is None:
        return Allowed()
    accessor = Accessor(registry.agents[order.agent], registry.access.get(order.agent, ()))
    target = Target(ordered.vault, order.path, order.kind, generated=order.box is None)
    return decide(accessor, target, ordered.operation, at_ms)


def check_timely(order: VaultOrder, now_ms: int) -> None:
    """Raise ``KeyOrderError`` for an order that is expired or from the future."""
    if why := validity_problem(order.requested_at_ms, order.expires_at_ms, now_ms):
        raise KeyOrderError(why)


def _verified(envelope: Envelope, registry: Registry) -> tuple[VaultOrder, str]:
    """Return an order and the name of the admin or agent who signed it."""
    order = read_vault_order(envelope)
    try:
        return order, _signed_by(envelope, order, registry)
    except InvalidSignatureError:
        raise KeyOrderError(
            "the order is signed neither by an admin nor by the agent that it names"
        ) from None


def _signed_by(envelope: Envelope, order: VaultOrder, registry: Registry) -> str:
    if not isinstance(order, SecretOrder) or order.agent is None:
        return _admin(envelope, order, registry)
    agent = registry.agents.get(order.agent)
    if agent is None:
        raise InvalidSignatureError("the agent is not registered")
    open_envelope(envelope, VAULT_ORDER_TYPE, registry.key_of_agent(agent))
    return agent.agent


def _admin(envelope: Envelope, order: VaultOrder, registry: Registry) -> str:
    author = registry.author_of(envelope, VAULT_ORDER_TYPE)
    problem = author.scope and vault_order_problem(author.scope, order)
    if problem:
        raise KeyOrderError(f"scoped admin {author.name} may not give the order: {problem}")
    return author.name


def _box(order: VaultOrder, body: bytes, delivery: SecretDelivery | None) -> bytes:
    expected = order.box if isinstance(order, SecretOrder) else None
    if delivery is None and expected is None:
        return b""
    if delivery is None:
        raise KeyOrderError("the order came without the box that it names")
    if (delivery.id, redacted_digest(delivery.box)) != (secret_delivery_id(body), expected):
        raise KeyOrderError("the box does not have the digest in the order")
    return bytes.fromhex(delivery.box[2:])
