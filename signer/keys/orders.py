"""Key orders: read from ``keys.requests``, and verified to be an admin's and in its scope."""

from dataclasses import dataclass, field

from pydantic import TypeAdapter

from schemas.canonical import MalformedError, decode_as
from schemas.dsse import KEY_REQUEST_TYPE, Envelope
from schemas.keys.key_events import (
    AnyOrder,
    KeyDeactivation,
    KeyDelivery,
    KeyImport,
    answer_id,
    decode_order,
    delivery_id,
)
from schemas.keys.order import Order
from schemas.redaction import redacted_digest
from signer.core.errors import InvalidSignatureError
from signer.core.registry.registry import Registry
from signer.core.signatures import open_envelope_of_any
from signer.custody.order_validity import too_early, validity_problem
from signer.keys.order_scope import key_order_problem

_ORDER_RECORD: TypeAdapter[Envelope | KeyDelivery] = TypeAdapter(Envelope | KeyDelivery)


class KeyOrderError(Exception):
    """An order or answer about a key or vault that is invalid or impossible; nothing changed."""


@dataclass(frozen=True, slots=True)
class VerifiedKeyOrder:
    """A verified order in its envelope; ``box`` is the sealed secret of an import, if it is one.

    ``id`` is the id of its answer; it does not depend on which admin signed the envelope.
    """

    order: AnyOrder
    envelope: Envelope
    id: str
    box: bytes = field(default=b"", repr=False)


def open_order(raw: bytes, registry: Registry) -> VerifiedKeyOrder:
    """Read a record of ``keys.requests``: an envelope, or an import with its box.

    Raises ``KeyOrderError`` unless an admin of the organisation signed it for an open account. An
    imported key's address must be claimed by that account in the registry.
    """
    try:
        record = decode_as(_ORDER_RECORD.validate_json, raw)
    except MalformedError as error:
        raise KeyOrderError(f"the request is malformed ({error})") from None
    if isinstance(record, Envelope):
        return _ordered(record, registry, None)
    return _ordered(record.request, registry, record)


def read_order(envelope: Envelope, registry: Registry) -> AnyOrder:
    """Return an order for an open account that an admin may give now; raise ``KeyOrderError``."""
    try:
        author = registry.author_of(envelope, KEY_REQUEST_TYPE)
    except InvalidSignatureError:
        raise _not_an_admins() from None
    order = _decoded(envelope.body(), registry)
    problem = author.scope and key_order_problem(registry, author.scope, order)
    if problem:
        raise KeyOrderError(f"scoped admin {author.name} may not give the order: {problem}")
    return order


def read_answered_order(envelope: Envelope, registry: Registry) -> AnyOrder:
    """Return an answered order that an admin signed; raise ``KeyOrderError``.

    Any key that a scoped admin ever had counts: the order was in scope when the signer answered it,
    and the signer's signature, which the caller verifies, proves that.
    """
    keys = (*registry.admin_keys, *registry.scoped_keys)
    try:
        body = open_envelope_of_any(envelope, KEY_REQUEST_TYPE, keys)
    except InvalidSignatureError:
        raise _not_an_admins() from None
    return _decoded(body, registry)


def _not_an_admins() -> KeyOrderError:
    return KeyOrderError("the order is not signed by an admin of the organisation")


def _decoded(body: bytes, registry: Registry) -> AnyOrder:
    """Return a key order for an open account; raise ``KeyOrderError``."""
    try:
        order = decode_order(body)
    except MalformedError as error:
        raise KeyOrderError(f"the request is malformed ({error})") from None
    if order.org != registry.org or order.account not in registry.accounts:
        raise KeyOrderError(f"{order.account} is not an open account of the organisation")
    refuse_unknown_registry(order, registry)
    return order


def refuse_unknown_registry(order: Order, registry: Registry) -> None:
    """Raise ``KeyOrderError`` for an order made with more registry records than are known here."""
    if order.registry_sequence > registry.record_count:
        raise KeyOrderError(
            f"the order was made with {order.registry_sequence} registry records, and the signer "
            f"knows only {registry.record_count}: order again"
        )


def check_validity(order: AnyOrder, now_ms: int) -> None:
    """Raise ``KeyOrderError`` for an order that is expired or from the future.

    A deactivation never expires.
    """
    if isinstance(order, KeyDeactivation):
        why = too_early(order.requested_at_ms, now_ms)
    else:
        why = validity_problem(order.requested_at_ms, order.expires_at_ms, now_ms)
    if why:
        raise KeyOrderError(why)


def _ordered(
    envelope: Envelope, registry: Registry, delivery: KeyDelivery | None
) -> VerifiedKeyOrder:
    order, body = read_order(envelope, registry), envelope.body()
    if isinstance(order, KeyImport):
        return VerifiedKeyOrder(
            order, envelope, answer_id(body), _box(order, body, registry, delivery)
        )
    if delivery is not None:
        raise KeyOrderError("a box came with an order that is not an import")
    return VerifiedKeyOrder(order, envelope, answer_id(body))


def _box(order: KeyImport, body: bytes, registry: Registry, delivery: KeyDelivery | None) -> bytes:
    if delivery is None:
        raise KeyOrderError("the import came without its box")
    if (delivery.id, redacted_digest(delivery.box)) != (delivery_id(body), order.box):
        raise KeyOrderError("the box does not have the digest in the import")
    if registry.claims.get(order.address) != order.account:
        raise KeyOrderError(f"{order.account} did not claim the address {order.address}")
    return bytes.fromhex(delivery.box[2:])
